"""What the demonstration acts with: real flows through Prefect, real requests to the gateway, the ledger to read from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from adapters.ledger import Ledger
from adapters.model_cache import cached_package
from adapters.package_store import LoadedPackage, load_package
from adapters.pipeline_files import Pipeline
from adapters.prefect_api import FlowRun, PrefectApi
from adapters.settings import Settings
from adapters.sources import read_new_rows
from contracts.columns import EVENT_TIME
from contracts.errors import OutsideError
from contracts.rollout import ModelRef, Phase, RolloutState
from stats.losses import losses
from understudy import runs
from understudy.demo.script import Script
from understudy.demo.story import Story
from understudy.replay import ReplayResult, replay_frame

_POLL_SECONDS = 0.05
_SHADOW_SECONDS = 120.0
_GATEWAY_SECONDS = 30.0


@dataclass
class Theatre:
    """Everything one demonstration uses; `now` is the pipeline's clock."""

    settings: Settings
    pipeline: Pipeline
    script: Script
    story: Story
    ledger: Ledger
    prefect: PrefectApi
    now: datetime
    requests: int = 0
    rows: int = 0
    failed: int = 0

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.pipeline.spec.name

    @property
    def state(self) -> RolloutState:
        """Where the rollout stands now."""
        return self.ledger.state(self.name)

    @cached_property
    def traffic(self) -> pd.DataFrame:
        """Every row of the live part, in order of event time."""
        spec = self.pipeline.spec
        known = self.script.history_until - spec.columns.label_delay
        return read_new_rows(spec, known, self.script.until - timedelta(microseconds=1))

    @cached_property
    def fitted_once(self) -> LoadedPackage:
        """The first champion: what would have been served without Understudy."""
        first = self.ledger.decisions(self.name, limit=10_000)[-1].version
        model = next(one.model for one in self.ledger.submissions(self.name, waiting=False) if one.model.version == first)
        return self.load(model)

    def load(self, model: ModelRef) -> LoadedPackage:
        """Load a version from the local cache."""
        return load_package(cached_package(self.settings, model), model.digest)

    def run(self, flow: str, parameters: dict[str, Any] | None = None) -> FlowRun:
        """Start a deployed flow through the Prefect server, wait for it, and insist that it completed.

        Raises:
            OutsideError: it ended in another way; the error names its page.
        """
        run = runs.start(self.prefect, flow, self.name, parameters)
        return self.finish(flow, run)

    def run_by_id(self, run_id: str) -> FlowRun:
        """Return a run that somebody else started, with its page."""
        return FlowRun(run_id, f"{self.story.links['Prefect']}/runs/flow-run/{run_id}")

    def finish(self, flow: str, run: FlowRun) -> FlowRun:
        """Wait for a run that somebody started, and insist that it completed."""
        state = runs.wait(self.prefect, run)
        if state.kind != "COMPLETED":
            raise OutsideError(f"The flow run {flow} ended as {state.name}: {state.message}", f"Look at {run.url}.")
        return run

    def replay_step(self) -> ReplayResult:
        """Replay the script's next step of live traffic."""
        return self.replay(min(self.now + self.script.step, self.script.until))

    def replay(self, upto: datetime) -> ReplayResult:
        """Send the rows from now to a time as live requests, then their labels; keep served and fitted-once losses."""
        traffic = self.traffic
        part = traffic[(traffic[EVENT_TIME] >= self.now) & (traffic[EVENT_TIME] < upto)].reset_index(drop=True)
        result = replay_frame(self.settings, self.pipeline, part, rows_per_request=self.script.rows_per_request, reward=self.script.reward)
        if result.failed == result.requests:
            raise OutsideError(f"The gateway answered none of {result.requests} requests: {result.error}", "Look into its log.")
        self.requests += result.requests
        self.rows += result.rows
        self.failed += result.failed
        once = pd.Series(self.fitted_once.predict(part), index=part.index)
        frame = pd.DataFrame({EVENT_TIME: part[EVENT_TIME], "served": self._loss(part, result.predictions), "once": self._loss(part, once)})
        self.story.served.append(frame.rename(columns={EVENT_TIME: "event_time"}).dropna())
        self.now = upto
        return result

    def _loss(self, rows: pd.DataFrame, answers: pd.Series[float]) -> np.ndarray:
        spec = self.pipeline.spec
        truth = rows[spec.columns.target].to_numpy()
        if spec.task != "regression":
            truth = truth == self.fitted_once.manifest.classes[1]
        return losses(spec.rollout.shadows[0].loss, truth.astype(np.float64), np.asarray(answers, dtype=np.float64))

    def await_gateway(self, version: str) -> None:
        """Wait until every gateway says that it answers with a version."""
        self._await(f"no gateway answers with version {version}", _GATEWAY_SECONDS, lambda: self._answers_with(version))

    def _answers_with(self, version: str) -> bool:
        views = self.ledger.gateways(self.name, datetime.min.replace(tzinfo=self.now.tzinfo))
        return bool(views) and all(view.champion == version and view.epoch == self.state.epoch for view in views)

    def await_idle(self) -> None:
        """Tick until no candidate is under judgement."""
        deadline = time.monotonic() + _GATEWAY_SECONDS
        while self.state.phase is not Phase.IDLE:
            if time.monotonic() > deadline:
                raise OutsideError(f"The rollout of '{self.name}' did not come to rest.", f"See: understudy status {self.name}")
            self.run("rollout")

    def await_rehearsal(self, version: str) -> None:
        """Wait until the shadow process has answered everything that was logged, as long as it gets on: it yields to whatever else runs."""
        told = f"the shadow process did not get on with version {version}"
        self._await(told, _SHADOW_SECONDS, lambda: self._rehearsed(version), self._shadow_is_at)

    def _shadow_is_at(self) -> tuple[str, int, int, int] | None:
        view = self.ledger.shadow(self.name)
        return None if view is None else (view.version, view.epoch, view.rows, view.lag_rows)

    def _rehearsed(self, version: str) -> bool:
        view = self.ledger.shadow(self.name)
        if view is None or view.version != version or view.epoch != self.state.epoch:
            return False
        return view.lag_rows == 0 and view.seen_at.timestamp() > self._last_request

    @property
    def _last_request(self) -> float:
        segments = (self.settings.traffic / self.name / "answers").glob("*")
        return max((path.stat().st_mtime for path in segments), default=0.0)

    def _await(self, otherwise: str, seconds: float, done: Callable[[], bool], moved: Callable[[], object] = lambda: None) -> None:
        """Wait until it is done, for so many seconds since something moved last."""
        deadline, place = time.monotonic() + seconds, moved()
        while not done():
            if (now_at := moved()) != place:
                deadline, place = time.monotonic() + seconds, now_at
            if time.monotonic() > deadline:
                raise OutsideError(f"Within {seconds:g} s {otherwise}.", f"Look into {self.settings.home / 'logs'}.")
            time.sleep(_POLL_SECONDS)

    @property
    def in_rollout(self) -> bool:
        """Whether a tick has something to do."""
        return self.state.phase is not Phase.IDLE or bool(self.ledger.submissions(self.name))
