"""Answers one micro-batch: predicts once for all that wait, logs, and only then lets the answers go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import numpy as np
import numpy.typing as npt
from structlog.typing import FilteringBoundLogger

from contracts.traffic import AnsweredBatch, FailedBatch
from serving.columns import BadRequest, Columns
from serving.gateway.arms import Part, everybody, join, parts_of
from serving.gateway.asks import Answer, Ask, Serving, ServingArm
from serving.gateway.errors import AnswerFailed, NotReady
from serving.gateway.limits import Limits
from serving.gateway.metrics import Meters
from serving.gateway.recorder import Recorder
from serving.too_large import blame_number, too_large
from serving.version import LoadedVersion


class Answerer:
    """One pipeline's work, called by its line's thread.

    Args:
        current: what answers the pipeline now; read once for a micro-batch, so a swap falls between two of them.
    """

    def __init__(
        self, pipeline: str, current: Callable[[], Serving], recorder: Recorder, meters: Meters, limits: Limits, log: FilteringBoundLogger
    ) -> None:
        self._pipeline, self._current, self._recorder = pipeline, current, recorder
        self._meters, self._limits, self._log = meters, limits, log

    def __call__(self, asks: list[Ask]) -> None:
        """Set the outcome of each request; raises nothing. A request whose outcome stays None could not be answered."""
        try:
            current, oldest = self._current(), time.perf_counter() - self._limits.late_seconds
            late = [ask for ask in asks if ask.arrived < oldest]
            if late:
                waited = f"The request waited longer than {self._limits.late_seconds:g} s."
                self._fail(current, late, waited, NotReady(waited, "Try again."))
            for serving, group in _by_version(asks, current):
                self._serve(serving, [ask for ask in group if ask.outcome is None])
        except Exception:  # noqa: BLE001  # whatever it was, the thread that answers must live
            self._log.exception("A micro-batch could not be answered", pipeline=self._pipeline)

    def _serve(self, serving: Serving, asks: list[Ask]) -> None:
        """Let each arm answer its rows; of a request whose rows belong to several arms the answers are put together."""
        if not serving.arms:
            if asks:
                self._answer(serving, everybody(serving), asks)
            return
        parts = [(ask, parts_of(serving, ask)) for ask in asks]
        arms: dict[str, list[Part]] = {}
        for _, some in parts:
            for part in some:
                arms.setdefault(part.arm.name, []).append(part)
        for mine in arms.values():
            self._answer(serving, mine[0].arm, [part.ask for part in mine])
        for ask, some in parts:
            if len(some) > 1:
                join(serving, ask, some)

    def _answer(self, serving: Serving, arm: ServingArm, asks: list[Ask]) -> None:
        started = time.perf_counter()
        try:
            columns = _together(asks)
            predicted = _predict(serving, arm.version, columns, sum(ask.rows for ask in asks))
        except Exception as error:  # noqa: BLE001  # a model's code may raise anything; one bad request must not cost its neighbours
            self._narrow(serving, arm, asks, error)
            return
        took = time.perf_counter() - started
        version = arm.version.model.version
        self._recorder.answered(_logged(serving, arm, asks, columns, predicted, took))
        self._meters.count_batch(self._pipeline, version, len(predicted), took)
        at = 0
        for ask in asks:
            ask.outcome = Answer(serving, ask.request_id, predicted[at : at + ask.rows], (version,) * ask.rows)
            at += ask.rows

    def _narrow(self, serving: Serving, arm: ServingArm, asks: list[Ask], error: Exception) -> None:
        """Halve until the request at fault stands alone, so that it costs its neighbours only a few calls."""
        if len(asks) > 1:
            half = len(asks) // 2
            self._answer(serving, arm, asks[:half])
            self._answer(serving, arm, asks[half:])
            return
        request, version = asks[0].request_id, arm.version.model.version
        if arm.version is serving.champion and (refused := _too_large(serving, asks[0])) is not None:
            asks[0].outcome = refused
            return
        self._log.error("A version could not answer", pipeline=self._pipeline, version=version, request=request, exc_info=error)
        why = f"{type(error).__name__}: {error}"
        if arm.version is not serving.champion:
            self._fail_over(serving, arm, asks, why)
            return
        failed = AnswerFailed(f"Version {version} could not answer request {request}.", "Its log has the cause.")
        self._fail(serving, asks, why, failed)

    def _fail_over(self, serving: Serving, arm: ServingArm, asks: list[Ask], why: str) -> None:
        """Let the champion answer what a version under judgement could not: no user sees the failure, the guardrail does.

        The row stays in its arm: what it earns is what users of that arm get. What the champion refuses too, the caller is to mend.
        """
        self._answer(serving, replace(arm, version=serving.champion), asks)
        if isinstance(asks[0].outcome, BadRequest):
            return
        self._note_failed(arm.version.model.version, serving.route.epoch, asks, why)
        self._meters.failovers.labels(self._pipeline, arm.version.model.version).inc(len(asks))

    def _fail(self, serving: Serving, asks: list[Ask], why: str, outcome: AnswerFailed | NotReady) -> None:
        self._note_failed(serving.version, serving.route.epoch, asks, why)
        self._meters.failed.labels(self._pipeline, serving.version).inc(len(asks))
        for ask in asks:
            ask.outcome = outcome

    def _note_failed(self, version: str, epoch: int, asks: list[Ask], why: str) -> None:
        ids = [ask.request_id for ask in asks]
        self._recorder.failed(FailedBatch(self._pipeline, version, epoch, time.time_ns() // 1000, ids, why))


def _by_version(asks: list[Ask], current: Serving) -> list[tuple[Serving, list[Ask]]]:
    """Say who answers whom: the version in force, unless it reads columns otherwise than the one in force when the request was read."""
    groups: list[tuple[Serving, list[Ask]]] = []
    for ask in asks:
        who = current if ask.seen is current or current.champion.reads_as(ask.seen.champion) else ask.seen
        if not groups or groups[-1][0] is not who:
            groups.append((who, []))
        groups[-1][1].append(ask)
    return groups


def _together(asks: list[Ask]) -> Columns:
    columns = asks[0].columns
    if len(asks) == 1:
        return columns
    return {name: list(chain.from_iterable(ask.columns[name] for ask in asks)) for name in columns}


def _predict(serving: Serving, version: LoadedVersion, columns: Columns, rows: int) -> npt.NDArray[np.float64]:
    if version is not serving.champion and not version.stands_in_for(serving.champion):
        raise ValueError("it takes other columns or gives other classes than the champion, for whom the request was read")
    predicted = version.predict(columns)
    if len(predicted) != rows:
        raise ValueError(f"the model gave {len(predicted)} answers for {rows} rows")
    if not np.isfinite(predicted).all():
        raise ValueError("the model gave an answer that is not a finite number")
    return predicted


def _too_large(serving: Serving, ask: Ask) -> BadRequest | None:
    """Return the refusal of a request that the champion did not answer because of a number in it, or None where that is not why."""

    def answers(columns: Columns) -> bool:
        try:
            _predict(serving, serving.champion, columns, len(next(iter(columns.values()))))
        except Exception:  # noqa: BLE001  # a model's code may raise anything; here that is the answer
            return False
        return True

    found = blame_number(answers, ask.columns, serving.champion.manifest.columns)
    if found is None:
        return None
    name, row = found
    return too_large(name, row if ask.places is None else ask.places[row], ask.columns[name][row])


def _logged(
    serving: Serving, arm: ServingArm, asks: list[Ask], columns: Columns, predicted: npt.NDArray[np.float64], took: float
) -> AnsweredBatch:
    return AnsweredBatch(
        pipeline=serving.pipeline,
        version=arm.version.model.version,
        epoch=serving.route.epoch,
        arm=arm.name,
        propensity=arm.share,
        logged_at=time.time_ns() // 1000,
        latency_us=round(took * 1e6),
        request_ids=[ask.request_id for ask in asks for _ in ask.event_times],
        rows=[row for ask in asks for row in ask.places or range(ask.rows)],
        event_times=[at for ask in asks for at in ask.event_times],
        units=[unit for ask in asks for unit in ask.units],
        features=columns,  # of one request as they came, of several put together
        predictions=predicted.tolist(),
    )
