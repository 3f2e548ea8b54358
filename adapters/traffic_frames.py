"""The traffic log as pandas frames, one row per answered row; times are datetime64[us, UTC].

Only the parts of a batch that a frame shows are decoded: of 100,000 rows logged one by one that is a fraction of a second. On the wall
clock `since` leaves out segments that nobody has written to since then, and `until` what was stamped later; `batch` numbers the
micro-batches of a frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from adapters.traffic_closed import STAMPS, ClosedPart
from adapters.traffic_columns import TrafficColumns
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


_Span = tuple[datetime | None, datetime | None]  # wall clock


def _table(
    log: TrafficLog, stream: str, kind: type[msgspec.Struct], span: _Span, or_happened_after: datetime | None = None
) -> TrafficColumns:
    """Read some fields of a stream, live and closed parts alike."""
    fields = kind.__struct_fields__
    table = TrafficColumns(fields)
    stamp = next(name for name in STAMPS if name in fields)
    last = None if span[1] is None else epoch_us(span[1])
    for listed in log.parts(stream, span[0], or_happened_after):
        part = log.current(listed)
        if isinstance(part, ClosedPart):
            if last is None or part.about.first <= last:
                for columns in part.groups(set(fields)):
                    table.add_closed(columns, stamp, last)
        elif part is not None:
            for one in log.batches(part, kind):
                if last is None or getattr(one, stamp) <= last:
                    table.add_batch(one)
    return table


def _times(values: Iterable[int]) -> pd.Series[Any]:
    return pd.Series(np.asarray(values, dtype="int64").view("datetime64[us]")).dt.tz_localize("UTC")


def _texts(values: list[str]) -> pd.Series[Any]:
    return pd.Series(values, dtype="str")


def answers(
    log: TrafficLog, since: datetime | None = None, until: datetime | None = None, or_happened_after: datetime | None = None
) -> pd.DataFrame:
    """Return what users were answered, one row each.

    Args:
        or_happened_after: segments with rows of a later event time are read whenever they were written.

    Returns:
        request_id, row, event_time, version, epoch, arm, propensity, unit (the request's id where none was told), prediction, latency_ms,
        logged_at, batch.
    """
    table = _table(log, "answers", _Answered, (since, until), or_happened_after)
    requests, units = table.texts("request_ids"), table.texts("units")
    return pd.DataFrame(
        {
            "request_id": requests,
            "row": table.numbers("rows"),
            "event_time": _times(table.numbers("event_times")),
            "version": table.texts("version"),
            "epoch": table.numbers("epoch"),
            "arm": table.texts("arm"),
            "propensity": table.numbers("propensity"),
            "unit": units.where(units.notna(), requests),
            "prediction": table.values("predictions"),
            "latency_ms": table.numbers("latency_us") / 1000,
            "logged_at": _times(table.numbers("logged_at")),
            "batch": table.batch,
        }
    )


def features(log: TrafficLog, since: datetime | None = None, happened_after: datetime | None = None) -> pd.DataFrame:
    """Return what was asked: the feature columns beside request_id, row, event_time and prediction.

    Args:
        happened_after: micro-batches whose event times are all at or before it are left out.
    """
    after = None if happened_after is None else epoch_us(happened_after)
    columns: dict[str, list[Any]] = {}
    each: dict[str, list[Any]] = {"request_ids": [], "rows": [], "event_times": [], "predictions": []}
    for part in log.parts("answers", since):
        if isinstance(part, ClosedPart) and after is not None and (part.about.happened or (0, 0))[1] <= after:
            continue
        for one in log.batches(part, _Asked):
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
    table = _table(log, "feedback", _Feedback, (since, until))
    order = np.argsort(table.numbers("received_at"), kind="stable").tolist()
    keys = list(zip(table.values("request_ids"), table.numbers("rows").tolist(), strict=True))
    seen_at = table.numbers("observed_at").tolist()
    observed = {keys[index]: seen_at[index] for index in order}
    labels, rewards = _last(keys, table.values("labels"), order), _last_by_name(keys, table.values("rewards"), order)
    return pd.DataFrame(
        {
            "request_id": _texts([key[0] for key in observed]),
            "row": pd.Series([key[1] for key in observed], dtype="int64"),
            "label": [labels.get(key) for key in observed],
            "reward": [rewards.get(key) for key in observed],
            "observed_at": _times(list(observed.values())),
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
    table = _table(log, f"shadow-{version}", _Shadowed, (since, until))
    frame = pd.DataFrame(
        {
            "request_id": table.texts("request_ids"),
            "row": table.numbers("rows"),
            "version": table.texts("version"),
            "epoch": table.numbers("epoch"),
            "prediction": table.values("predictions"),
            "latency_ms": table.numbers("latency_us") / 1000,
            "error": pd.Series(table.values("error"), dtype="object"),
            "batch": table.batch,
        }
    )
    return frame.drop_duplicates(["request_id", "row", "epoch"], keep="last").reset_index(drop=True)


def failures(log: TrafficLog, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """Return requests that failed through a fault of ours: request_id, version, epoch, error, logged_at, batch."""
    table = _table(log, "failures", _Failed, (since, until))
    return pd.DataFrame(
        {
            "request_id": table.texts("request_ids"),
            "version": table.texts("version"),
            "epoch": table.numbers("epoch"),
            "error": table.texts("error"),
            "logged_at": _times(table.numbers("logged_at")),
            "batch": table.batch,
        }
    )
