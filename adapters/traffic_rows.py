"""Finds one row in the traffic log: who answered it, and who rehearsed on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.traffic_log import TrafficLog, epoch_us
from contracts.traffic import AnsweredBatch


class _Shadowed(msgspec.Struct, gc=False):
    version: str
    request_ids: list[str]
    rows: list[int]


@dataclass(frozen=True, slots=True)
class InLog:
    """A logged row.

    Attributes:
        version: who answered it. shadow: versions that answered it too, unseen by the caller.
    """

    request_id: str
    row: int
    event_time: datetime
    version: str
    arm: str
    prediction: Any
    shadow: tuple[str, ...]


def find_rows(log: TrafficLog, word: str, likes: Mapping[datetime, Mapping[str, Any]]) -> list[InLog]:
    """Return logged rows with this request id or unit, or with the event time and the features of one of `likes`.

    The log is read once, a batch at a time.
    """
    wanted = {epoch_us(at): features for at, features in likes.items()}
    found = [
        (batch, index)
        for batch in log.each(AnsweredBatch, "answers")
        for index, (request, at, unit) in enumerate(zip(batch.request_ids, batch.event_times, batch.units, strict=True))
        if word in (request, unit) or (at in wanted and _alike(batch.features, index, wanted[at]))
    ]
    shadows = _shadows(log, {(batch.request_ids[index], batch.rows[index]) for batch, index in found})
    return [_row(batch, index, shadows) for batch, index in found]


def _row(batch: AnsweredBatch, index: int, shadows: dict[tuple[str, int], list[str]]) -> InLog:
    request, row = batch.request_ids[index], batch.rows[index]
    at = datetime.fromtimestamp(batch.event_times[index] / 1e6, UTC)
    return InLog(request, row, at, batch.version, batch.arm, batch.predictions[index], tuple(shadows.get((request, row), ())))


def _shadows(log: TrafficLog, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], list[str]]:
    found: dict[tuple[str, int], list[str]] = {}
    for stream in log.streams("shadow-") if wanted else ():
        for batch in log.each(_Shadowed, stream):
            for place in wanted.intersection(zip(batch.request_ids, batch.rows, strict=True)):
                found.setdefault(place, []).append(batch.version)
    return found


def _alike(features: dict[str, list[Any]], index: int, wanted: Mapping[str, Any]) -> bool:
    """Return whether a logged row has these features; a gap is like a gap, and 1 is like 1.0."""
    return all(_same(features[name][index], value) for name, value in wanted.items() if name in features)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (_gap(one) and _gap(other))


def _gap(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
