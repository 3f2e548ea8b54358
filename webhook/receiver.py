"""Turns a wish for a retrain into one Prefect run, or says why not; every answer is kept in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from adapters.ledger import Ledger
from adapters.pipeline_files import list_pipelines, load_pipeline
from adapters.prefect_api import FlowRun, PrefectApi
from adapters.settings import Settings
from contracts.duration import format_duration
from contracts.errors import OutsideError, UnderstudyError
from contracts.events import Cause, Severity
from contracts.queues import queue_of
from webhook.asked import REASON_CHARACTERS, Asked, printable

FLOW = "retrain"  # the only flow that a notification can start
_PIPELINE_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done about one wish.

    Attributes:
        status: 202 a run stands for it, 200 understood and nothing started, 404 no such pipeline, 503 ask again later.
        pipeline, reason: printable and bounded, whatever was sent.
        kept: the ledger has it.
    """

    status: int
    pipeline: str
    reason: str
    run: FlowRun | None = None
    kept: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return what the sender is told."""
        run = asdict(self.run) if self.run else {}
        return {"flow_run": run.get("id"), "url": run.get("url"), "pipeline": self.pipeline, "reason": self.reason}


class Receiver:
    """Starts runs of the retrain deployments, and nothing else.

    Args:
        prefect: None where no Prefect server is known.
        clock: seconds since 1970.
    """

    def __init__(self, settings: Settings, ledger: Ledger, prefect: PrefectApi | None, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._ledger, self._prefect, self._clock = settings, ledger, prefect, clock

    def knows(self, pipeline: str) -> bool:
        """Say whether there is a pipeline of this name."""
        return pipeline in list_pipelines(self._settings)

    def is_ready(self) -> bool:
        """Say whether an alert that came now could become a run."""
        return self._prefect is not None and self._prefect.healthy()

    def answer(self, asked: Asked, kind: str) -> Answer:
        """Do what is asked, once, and keep it in the ledger; blocks on files, ledger and Prefect.

        Where the ledger cannot be read or written the answer is 503: whoever asks again gets the same run.
        """
        known = self.knows(asked.pipeline)
        try:
            done = self._do(asked, known)
            self.keep(kind, done.status, done.reason, asked if known else None, done.run)
        except SQLAlchemyError as error:
            named, words = printable(asked.pipeline, _PIPELINE_CHARACTERS), f"The ledger does not answer: {type(error).__name__}."
            return Answer(503, named, words, kept=False)
        return done

    def keep(self, kind: str, status: int, detail: str, asked: Asked | None = None, run: FlowRun | None = None) -> None:
        """Keep one call and its answer in the ledger."""
        self._ledger.audit_call(
            pipeline=asked.pipeline if asked else None,
            kind=kind,
            cause=asked.trigger.cause.value if asked else None,
            status=status,
            flow_run=run.id if run else None,
            detail=printable(detail, REASON_CHARACTERS),
        )

    def _do(self, asked: Asked, known: bool) -> Answer:
        named = printable(asked.pipeline, _PIPELINE_CHARACTERS)
        if asked.declined is not None:
            return Answer(200, named, asked.declined)
        if not known:
            return Answer(404, named, f"There is no pipeline '{named}'.")
        try:
            return self._start(asked)
        except UnderstudyError as error:  # Prefect is away, has no such deployment, or the pipeline's files are broken: all can be mended
            return Answer(503, named, str(error))

    def _start(self, asked: Asked) -> Answer:
        if self._prefect is None:
            raise OutsideError("No Prefect server is known.", "Set PREFECT_API_URL.")
        trigger = asked.trigger
        cooling = self._cooling(asked)
        if cooling is not None:  # what has a run already keeps it; anything else waits
            run = self._prefect.find_run(FLOW, asked.key)
            return Answer(202, asked.pipeline, trigger.reason, run) if run else Answer(200, asked.pipeline, cooling)
        parameters = {
            "pipeline": asked.pipeline,
            "reason": trigger.reason,
            "cause": trigger.cause.value,
            "actor": trigger.actor,
            "alert_id": trigger.alert_id,
        }
        run = self._prefect.create_run(self._prefect.deployment(FLOW, asked.pipeline), parameters, asked.key, queue_of(trigger.cause))
        if trigger.cause is Cause.DRIFT:
            self._answer_alerts(asked.pipeline, run)
        return Answer(202, asked.pipeline, trigger.reason, run)

    def _answer_alerts(self, pipeline: str, run: FlowRun) -> None:
        """Note which run stands for what the monitor asked, whichever way it came here: then nobody asks for it a second time."""
        for alert in self._ledger.alerts(pipeline):
            if alert.severity is Severity.RETRAIN and alert.flow_run is None:
                self._ledger.open_alert(replace(alert, flow_run=run.id))

    def _cooling(self, asked: Asked) -> str | None:
        """Say why it is too early for another run; on an event clock the monitor itself keeps that time."""
        spec = load_pipeline(self._settings, asked.pipeline).spec
        newest = self._ledger.newest_run(asked.pipeline, asked.trigger.cause.value) if spec.clock == "wall" else None
        if newest is None:
            return None
        began, run = newest
        cooldown = spec.monitors.cooldown
        left = began + cooldown.total_seconds() - self._clock()
        if left <= 0:
            return None
        return f"cooling down: run {run} was started less than {format_duration(cooldown)} ago for the same cause; {left:.0f} s are left"
