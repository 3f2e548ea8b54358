"""The traffic log as pandas frames, one row per answered row; times are datetime64[us, UTC].

Only the parts of a batch that a frame shows are decoded: of 100,000 rows logged one by one that is a fraction of a second. On the wall
clock `since` leaves out segments that nobody has written to since then, and `until` what was stamped later; `batch` numbers the
micro-batches of a frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from adapters.traffic_log import TrafficLog, epoch_us


class _Answered(msgspec.Struct, gc=False):
    version: str
    epoch: int
    arm: str
    propensity: float
    latency_us: int
    logged_at: int
    request_ids: list[str]
    rows: list[int]
    event_times: list[int]
    units: list[str | None]
    predictions: list[Any]


class _Asked(msgspec.Struct, gc=False):
    request_ids: list[str]
    rows: list[int]
    event_times: list[int]
    features: dict[str, list[Any]]
    predictions: list[Any]


class _Shadowed(msgspec.Struct, gc=False):
    version: str
    epoch: int
    answered_at: int
    latency_us: int
    request_ids: list[str]
    rows: list[int]
    predictions: list[Any]
    error: str | None = None


class _Feedback(msgspec.Struct, gc=False):
    received_at: int
    request_ids: list[str]
    rows: list[int]
    labels: list[Any]
    rewards: list[float | dict[str, float] | None]
    observed_at: list[int]


class _Failed(msgspec.Struct, gc=False):
    version: str
    epoch: int
    logged_at: int
    error: str
    request_ids: list[str]


@dataclass(frozen=True, slots=True)
class _Table:
    """Columns of a stream: `each` has a value per row, `batch` one per micro-batch, `sizes` the rows of each."""

    each: dict[str, list[Any]]
    batch: dict[str, list[Any]]
    sizes: list[int]

    def spread(self, name: str, dtype: str) -> pd.Series[Any]:
        """Return a value per batch as one per row."""
        values = np.array(self.batch[name], dtype="object" if dtype in ("str", "object") else dtype)
        return pd.Series(np.repeat(values, self.sizes), dtype=dtype)

    @property
    def numbers(self) -> np.ndarray:
        """The number of each row's batch."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


_STAMPS = ("logged_at", "received_at", "answered_at")
_Span = tuple[datetime | None, datetime | None]  # wall clock


def _table(log: TrafficLog, stream: str, kind: type[msgspec.Struct], each: tuple[str, ...], span: _Span) -> _Table:
    decode = msgspec.msgpack.Decoder(kind).decode
    table = _Table({name: [] for name in each}, {name: [] for name in kind.__struct_fields__ if name not in each}, [])
    stamp = next(name for name in _STAMPS if name in kind.__struct_fields__)
    last = None if span[1] is None else epoch_us(span[1])
    for body in log.bodies(stream, span[0]):
        one = decode(body)
        if last is not None and getattr(one, stamp) > last:
            continue
        size = len(one.request_ids)  # type: ignore[attr-defined]  # every kind above has it
        table.sizes.append(size)
        for name, values in table.each.items():
            values.extend(getattr(one, name) or [None] * size)
        for name, values in table.batch.items():
            values.append(getattr(one, name))
    return table


def _times(values: Iterable[int]) -> pd.Series[Any]:
    return pd.Series(np.asarray(list(values), dtype="int64").view("datetime64[us]")).dt.tz_localize("UTC")


def _texts(values: list[str]) -> pd.Series[Any]:
    return pd.Series(values, dtype="str")


def answers(log: TrafficLog, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """Return what users were answered, one row each.

    Returns:
        request_id, row, event_time, version, epoch, arm, propensity, unit (the request's id where none was told), prediction, latency_ms,
        logged_at, batch.
    """
    table = _table(log, "answers", _Answered, ("request_ids", "rows", "event_times", "units", "predictions"), (since, until))
    units = [request if unit is None else unit for unit, request in zip(table.each["units"], table.each["request_ids"], strict=True)]
    return pd.DataFrame(
        {
            "request_id": _texts(table.each["request_ids"]),
            "row": pd.Series(table.each["rows"], dtype="int64"),
            "event_time": _times(table.each["event_times"]),
            "version": table.spread("version", "str"),
            "epoch": table.spread("epoch", "int64"),
            "arm": table.spread("arm", "str"),
            "propensity": table.spread("propensity", "float64"),
            "unit": _texts(units),
            "prediction": table.each["predictions"],
            "latency_ms": table.spread("latency_us", "float64") / 1000,
            "logged_at": _times(table.spread("logged_at", "int64")),
            "batch": table.numbers,
        }
    )


def features(log: TrafficLog, since: datetime | None = None, happened_after: datetime | None = None) -> pd.DataFrame:
    """Return what was asked: the feature columns beside request_id, row, event_time and prediction.

    Args:
        happened_after: micro-batches whose event times are all at or before it are left out.
    """
    decode = msgspec.msgpack.Decoder(_Asked).decode
    after = None if happened_after is None else epoch_us(happened_after)
    columns: dict[str, list[Any]] = {}
    each: dict[str, list[Any]] = {"request_ids": [], "rows": [], "event_times": [], "predictions": []}
    for body in log.bodies("answers", since):
        one = decode(body)
        if after is None or max(one.event_times, default=after) > after:
            _add(columns, one.features, len(each["rows"]), len(one.rows))
            for name, values in each.items():
                values.extend(getattr(one, name))
    frame = pd.DataFrame(columns)
    frame["request_id"] = _texts(each["request_ids"])
    frame["row"] = pd.Series(each["rows"], dtype="int64")
    frame["event_time"] = _times(each["event_times"])
    frame["prediction"] = each["predictions"]
    return frame


def _add(columns: dict[str, list[Any]], more: dict[str, list[Any]], before: int, count: int) -> None:
    """Put a batch's columns behind those before it; what one of both lacks is None."""
    for name, values in more.items():
        if name not in columns:
            columns[name] = [None] * before
        columns[name].extend(values)
    if len(more) < len(columns):
        for values in columns.values():
            values.extend([None] * (before + count - len(values)))


def feedback(log: TrafficLog, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """Return labels and rewards, the last of each for each (request_id, row): request_id, row, label, reward, observed_at.

    A reward is a number, a number by name, or None.
    """
    table = _table(log, "feedback", _Feedback, ("request_ids", "rows", "labels", "rewards", "observed_at"), (since, until))
    received = np.repeat(np.array(table.batch["received_at"], dtype="int64"), table.sizes)
    order = np.argsort(received, kind="stable").tolist()
    keys = list(zip(table.each["request_ids"], table.each["rows"], strict=True))
    observed = {keys[index]: table.each["observed_at"][index] for index in order}
    labels, rewards = _last(keys, table.each["labels"], order), _last_by_name(keys, table.each["rewards"], order)
    return pd.DataFrame(
        {
            "request_id": _texts([key[0] for key in observed]),
            "row": pd.Series([key[1] for key in observed], dtype="int64"),
            "label": [labels.get(key) for key in observed],
            "reward": [rewards.get(key) for key in observed],
            "observed_at": _times(observed.values()),
        }
    )


def _last(keys: list[Any], values: list[Any], order: list[int]) -> dict[Any, Any]:
    """A reward that comes after a label does not take the label away."""
    return {keys[index]: values[index] for index in order if values[index] is not None}


def _last_by_name(keys: list[Any], values: list[Any], order: list[int]) -> dict[Any, Any]:
    """Rewards of different names come at different times: of each name the last one counts."""
    found: dict[Any, Any] = {}
    for index in order:
        key, value = keys[index], values[index]
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = found[key] | value
        elif value is not None:
            found[key] = value
    return found


def shadow_answers(log: TrafficLog, version: str, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """Return what a model in shadow answered: request_id, row, version, epoch, prediction, latency_ms, error, batch.

    One row for each (request_id, row, epoch), the last one: a shadow process that was killed repeats its last group when it comes back.
    """
    table = _table(log, f"shadow-{version}", _Shadowed, ("request_ids", "rows", "predictions"), (since, until))
    frame = pd.DataFrame(
        {
            "request_id": _texts(table.each["request_ids"]),
            "row": pd.Series(table.each["rows"], dtype="int64"),
            "version": table.spread("version", "str"),
            "epoch": table.spread("epoch", "int64"),
            "prediction": table.each["predictions"],
            "latency_ms": table.spread("latency_us", "float64") / 1000,
            "error": table.spread("error", "object"),
            "batch": table.numbers,
        }
    )
    return frame.drop_duplicates(["request_id", "row", "epoch"], keep="last").reset_index(drop=True)


def failures(log: TrafficLog, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """Return requests that failed through a fault of ours: request_id, version, epoch, error, logged_at, batch."""
    table = _table(log, "failures", _Failed, ("request_ids",), (since, until))
    return pd.DataFrame(
        {
            "request_id": _texts(table.each["request_ids"]),
            "version": table.spread("version", "str"),
            "epoch": table.spread("epoch", "int64"),
            "error": table.spread("error", "str"),
            "logged_at": _times(table.spread("logged_at", "int64")),
            "batch": table.numbers,
        }
    )
