"""Arms: a request's rows go to the versions that their units belong to, and their answers come together again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollout.exposure import CHAMPION
from rollout.split import assign
from serving.gateway.asks import Answer, Ask, Serving, ServingArm


@dataclass(frozen=True, slots=True)
class Part:
    """Those rows of a request that one arm answers; where that is all of them, `ask` is the request itself."""

    arm: ServingArm
    ask: Ask


def everybody(serving: Serving) -> ServingArm:
    """Return the arm of a route that exposes nobody else: the champion answers all."""
    return ServingArm(CHAMPION, serving.champion, 1.0)


def parts_of(serving: Serving, ask: Ask) -> list[Part]:
    """Return a request's rows by the arm that answers them; a row without a unit belongs to the request.

    A request that names a version is not drawn for an arm: its rows are logged with propensity 1 and no stage counts them.
    """
    if not serving.arms or ask.pinned:
        return [Part(everybody(serving), ask)]
    shares, salt = [arm.share for arm in serving.arms], serving.route.salt
    known = {unit: assign(salt, ask.request_id if unit is None else unit, shares) for unit in dict.fromkeys(ask.units)}
    chosen = [known[unit] for unit in ask.units]
    if len(set(chosen)) == 1:
        return [Part(serving.arms[chosen[0]], ask)]
    places = {index: [row for row, arm in enumerate(chosen) if arm == index] for index in sorted(set(chosen))}
    return [Part(serving.arms[index], _only(ask, rows)) for index, rows in places.items()]


def _only(ask: Ask, rows: list[int]) -> Ask:
    columns = {name: [values[row] for row in rows] for name, values in ask.columns.items()}
    times, units = [ask.event_times[row] for row in rows], [ask.units[row] for row in rows]
    return Ask(ask.seen, ask.request_id, columns, times, units, ask.arrived, places=rows)


def join(serving: Serving, ask: Ask, parts: list[Part]) -> None:
    """Give a request that was answered in parts its outcome: the parts' answers in the order of its rows, or the first failure."""
    done = [(part.ask.places or [], part.ask.outcome) for part in parts]
    failed = next((outcome for _, outcome in done if not isinstance(outcome, Answer)), None)
    if failed is not None or not all(isinstance(outcome, Answer) for _, outcome in done):
        ask.outcome = failed
        return
    versions = [""] * ask.rows
    predictions = None
    for rows, outcome in done:
        assert isinstance(outcome, Answer)  # noqa: S101  # proved above; for the type checker
        if predictions is None:
            predictions = np.empty((ask.rows, *outcome.predictions.shape[1:]))
        predictions[rows] = outcome.predictions
        for place, row in enumerate(rows):
            versions[row] = outcome.versions[place]
    if predictions is not None:
        ask.outcome = Answer(serving, ask.request_id, predictions, tuple(versions))
