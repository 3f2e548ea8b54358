"""The data plane: who answers which pipeline, and the way of a request to its answer. It knows no HTTP."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from pathlib import Path

import numpy as np
from structlog.typing import FilteringBoundLogger

from adapters.traffic_rules import USUAL, TrafficRules
from contracts.traffic import FeedbackBatch
from serving.gateway.answerer import Answerer
from serving.gateway.asks import Answer, Ask, Serving
from serving.gateway.errors import NotReady, NotServed, TooLarge
from serving.gateway.limits import Limits
from serving.gateway.line import Line
from serving.gateway.metrics import Meters
from serving.gateway.recorder import Recorder

_LATENCIES_KEPT = 2000
_STOP_SECONDS = 1.0


class DataPlane:
    """What the gateway answers with.

    Args:
        traffic: folder of all traffic logs.
        rules: how they are written.

    `put` may be called from any thread; everything else belongs to the event loop.
    """

    def __init__(self, traffic: Path, meters: Meters, limits: Limits, log: FilteringBoundLogger, rules: TrafficRules = USUAL) -> None:
        self._traffic, self._meters, self._log, self._rules = traffic, meters, log, rules
        self.limits = limits
        self.expected: frozenset[str] = frozenset()  # pipelines that have a champion, loaded here or not yet
        self._servings: dict[str, Serving] = {}
        self._lines: dict[str, Line] = {}
        self._recorders: dict[str, Recorder] = {}
        self._latencies: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_LATENCIES_KEPT))

    def put(self, serving: Serving) -> None:
        """Answer a pipeline with this from the next micro-batch on."""
        pipeline = serving.pipeline
        if pipeline not in self._recorders:
            lost = self._meters.lost_rows.labels(pipeline)
            self._recorders[pipeline] = Recorder(self._traffic / pipeline, pipeline, lost.inc, self._log, self._rules)
        self._servings[pipeline] = serving
        self.expected |= {pipeline}

    def servings(self) -> dict[str, Serving]:
        """Return what answers now, by pipeline."""
        return dict(self._servings)

    def missing(self) -> list[str]:
        """Return the pipelines that have a champion which could not be loaded here yet, and no other version to answer."""
        return sorted(self.expected - self._servings.keys())

    def serving(self, pipeline: str) -> Serving:
        """Return what answers a pipeline.

        Raises:
            NotServed: there is no such pipeline.
            NotReady: its champion is being loaded.
        """
        found = self._servings.get(pipeline)
        if found is not None:
            return found
        if pipeline in self.expected:
            raise NotReady(f"The champion of '{pipeline}' is not loaded yet.", "Try again in a moment.")
        names = ", ".join(sorted(self._servings)) or "none yet"
        raise NotServed(f"There is no model {pipeline[:80]!r} here.", f"Served are: {names}.")

    async def answer(self, ask: Ask) -> Answer:
        """Have a request answered and logged.

        Raises:
            TooLarge: it has more rows than are taken in one.
            Overloaded, NotReady, TooLate, AnswerFailed: see Line.ask.
        """
        pipeline = ask.seen.pipeline
        if ask.rows > self.limits.rows:
            raise TooLarge(f"The request has {ask.rows} rows; at most {self.limits.rows} are taken in one.", "Send it in parts.")
        answer = await (self._lines.get(pipeline) or self._new_line(pipeline)).ask(ask)
        self._latencies[pipeline].append(time.perf_counter() - ask.arrived)
        return answer

    def _new_line(self, pipeline: str) -> Line:
        answerer = Answerer(pipeline, lambda: self._servings[pipeline], self._recorders[pipeline], self._meters, self.limits, self._log)
        waits_for_disk = self._rules.fsync == "batch"  # which the event loop must not
        line = Line(
            pipeline,
            answerer,
            self.limits,
            quick=lambda: not waits_for_disk and self._servings[pipeline].quick,
            unseen=lambda what: self._meters.unseen.labels(pipeline, what).inc(),
        )
        self._lines[pipeline] = line
        self._meters.waiting_rows.labels(pipeline).set_function(lambda: line.waiting_rows)
        for what in ("refused", "dropped"):
            self._meters.unseen.labels(pipeline, what)  # present at 0, so that a rate over it sees the first
        return line

    def record_feedback(self, batch: FeedbackBatch) -> None:
        """Log labels and rewards; may be called from any thread.

        Raises:
            NotReady: they could not be written and are not kept.
        """
        try:
            self._recorders[batch.pipeline].feedback(batch)
        except OSError as error:
            self._log.error("Feedback cannot be written", pipeline=batch.pipeline, error=str(error))
            raise NotReady("The feedback could not be written and was not kept.", "Send it again later.") from error
        self._meters.feedback_rows.labels(batch.pipeline).inc(len(batch.rows))
        for reward in batch.rewards:
            if reward is not None:
                self._meters.count_reward(batch.pipeline, reward)

    def latency_ms(self, pipeline: str) -> dict[str, float | int | None]:
        """Return p50 and p99 in milliseconds of the newest answers, from arrival to answer, and how many there were."""
        seen = list(self._latencies.get(pipeline, ()))
        if not seen:
            return {"p50": None, "p99": None, "requests": 0}
        p50, p99 = (round(float(one) * 1000, 3) for one in np.quantile(seen, (0.5, 0.99)))
        return {"p50": p50, "p99": p99, "requests": len(seen)}

    def waiting_rows(self, pipeline: str) -> int:
        """Return how many rows wait or are being answered."""
        line = self._lines.get(pipeline)
        return 0 if line is None else line.waiting_rows

    def tend(self) -> None:
        """Look after the traffic logs; from a thread of its own."""
        for recorder in list(self._recorders.values()):
            recorder.tend()

    def stop(self) -> None:
        """Answer what waits and take nothing more."""
        end = time.monotonic() + _STOP_SECONDS
        for line in self._lines.values():
            line.close()
        for line in self._lines.values():
            line.join(max(0.0, end - time.monotonic()))
