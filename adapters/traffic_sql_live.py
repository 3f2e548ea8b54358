"""Rows of live segments, put into DuckDB's tables: one for each kind of batch, one row for each row of a batch.

A feature is a column of `answers` that is added when the first row with it comes; one that changes its type takes what both fit into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from adapters.traffic_closed import ClosedPart, feature_column
from adapters.traffic_log import LivePart, TrafficLog
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, ShadowBatch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_B = TypeVar("_B")
_Part = dict[str, list[Any]]  # columns of one length
_ROWS_AT_ONCE = 50_000
LIVE = "live_"  # before the name of a table: its rows in live segments
TABLES: dict[str, dict[str, str]] = {
    "answers": {
        "request_id": "VARCHAR", "row": "INTEGER", "event_time": "TIMESTAMP", "logged_at": "TIMESTAMP", "version": "VARCHAR",
        "epoch": "BIGINT", "arm": "VARCHAR", "propensity": "DOUBLE", "unit": "VARCHAR", "latency_us": "BIGINT", "prediction": "DOUBLE",
        "probabilities": "DOUBLE[]",
    },
    "failures": {"request_id": "VARCHAR", "logged_at": "TIMESTAMP", "version": "VARCHAR", "epoch": "BIGINT", "error": "VARCHAR"},
    "feedback": {
        "request_id": "VARCHAR", "row": "INTEGER", "received_at": "TIMESTAMP", "observed_at": "TIMESTAMP", "label": "VARCHAR",
        "reward": "DOUBLE", "rewards": "VARCHAR",
    },
    "shadow": {
        "request_id": "VARCHAR", "row": "INTEGER", "answered_at": "TIMESTAMP", "version": "VARCHAR", "epoch": "BIGINT",
        "latency_us": "BIGINT", "prediction": "DOUBLE", "probabilities": "DOUBLE[]", "error": "VARCHAR",
    },
}  # fmt: skip


def make_tables(database: DuckDBPyConnection) -> None:
    """Make the tables of live rows, empty."""
    for name, columns in TABLES.items():
        live = ", ".join(f"{quoted(one)} {kind}" for one, kind in columns.items())
        database.execute(f"CREATE TABLE {LIVE}{name} ({live})")


def fill(database: DuckDBPyConnection, name: str, log: TrafficLog, told: Callable[[int], None]) -> list[ClosedPart]:
    """Put a table's live rows into the database and return its closed segments, which are read where they lie."""
    closed: list[ClosedPart] = []
    _insert(database, name, _parts(log, name, closed), told)
    return closed


def _insert(database: DuckDBPyConnection, name: str, parts: Iterator[_Part], told: Callable[[int], None]) -> None:
    """Put rows into a table; a column that no earlier row had is added, one that changed its type takes what both fit into."""
    import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

    known, table = dict(TABLES[name]), f"{LIVE}{name}"
    done = 0
    for part in _gathered(parts):
        for column, values in part.items():
            kind = known.get(column) or _kind(values) or "DOUBLE"
            if column not in known:
                database.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(column)} {kind}")
            elif column not in TABLES[name] and (wider := _wider(kind, _kind(values))) != kind:
                kind = wider
                database.execute(f"ALTER TABLE {table} ALTER {quoted(column)} TYPE {kind}")
            known[column] = kind
        chunk = pa.table({one: pa.array(_as(known[one], values), type=_arrow(known[one])) for one, values in part.items()})
        database.register("chunk", chunk)
        database.execute(f"INSERT INTO {table} BY NAME SELECT * FROM chunk")  # noqa: S608  # a name of ours
        database.unregister("chunk")
        done += len(chunk)
        told(done)


def _gathered(parts: Iterator[_Part]) -> Iterator[_Part]:
    """Yield larger parts; a column that one of them lacks is empty there."""
    held: _Part = {}
    rows = 0
    for part in parts:
        more = len(part["request_id"])
        for name in held.keys() | part.keys():
            held.setdefault(name, [None] * rows).extend(part.get(name) or [None] * more)
        rows += more
        if rows >= _ROWS_AT_ONCE:
            yield held
            held, rows = {}, 0
    if rows:
        yield held


def quoted(name: str) -> str:
    """Return a name as SQL writes it.

    >>> quoted('the "first" one')
    '"the ""first"" one"'
    """
    return '"' + name.replace('"', '""') + '"'


def _kind(values: list[Any]) -> str | None:
    types = set(map(type, values)) - {type(None)}
    if not types:
        return None
    if types == {bool}:
        return "BOOLEAN"
    if types <= {int, float}:
        return "BIGINT" if types == {int} else "DOUBLE"
    return "VARCHAR"


def _wider(one: str, other: str | None) -> str:
    if other in (one, None):
        return one
    return "DOUBLE" if {one, other} == {"BIGINT", "DOUBLE"} else "VARCHAR"


def _as(kind: str, values: list[Any]) -> list[Any]:
    if kind == "VARCHAR":
        return [None if one is None else _said(one) for one in values]
    if kind == "DOUBLE":
        return [None if one is None else float(one) for one in values]
    return values


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)  # as SQL writes them


def _arrow(kind: str) -> Any:
    import pyarrow as pa

    return {
        "VARCHAR": pa.string(), "INTEGER": pa.int32(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
        "TIMESTAMP": pa.timestamp("us"), "DOUBLE[]": pa.list_(pa.float64()),
    }[kind]  # fmt: skip


def _parts(log: TrafficLog, name: str, closed: list[ClosedPart]) -> Iterator[_Part]:
    """Yield the live rows of a table; its closed segments are added to a list."""
    if name == "answers":
        return map(_answers, _live(log, "answers", AnsweredBatch, closed))
    if name == "failures":
        return map(_failures, _live(log, "failures", FailedBatch, closed))
    if name == "feedback":
        return map(_feedback, _live(log, "feedback", FeedbackBatch, closed))
    return (_shadow(one) for stream in log.streams("shadow-") for one in _live(log, stream, ShadowBatch, closed))


def _live(log: TrafficLog, stream: str, kind: type[_B], closed: list[ClosedPart]) -> Iterator[_B]:
    for listed in log.parts(stream):
        part = log.current(listed)
        if isinstance(part, ClosedPart):
            closed.append(part)
        elif isinstance(part, LivePart):
            yield from log.batches(part, kind)


def _answers(one: AnsweredBatch) -> _Part:
    ours: _Part = {
        "request_id": one.request_ids, "row": one.rows, "event_time": one.event_times, "unit": one.units,
        **_each(one.request_ids, logged_at=one.logged_at, version=one.version, epoch=one.epoch, arm=one.arm, propensity=one.propensity,
                latency_us=one.latency_us),
        **_predictions(one.predictions),
    }  # fmt: skip
    return ours | {feature_column(name): values for name, values in one.features.items()}


def _failures(one: FailedBatch) -> _Part:
    rest = _each(one.request_ids, logged_at=one.logged_at, version=one.version, epoch=one.epoch, error=one.error)
    return {"request_id": one.request_ids, **rest}


def _feedback(one: FeedbackBatch) -> _Part:
    plain = [None if isinstance(reward, dict) else reward for reward in one.rewards]
    named = [msgspec.json.encode(reward).decode() if isinstance(reward, dict) else None for reward in one.rewards]
    return {
        "request_id": one.request_ids, "row": one.rows, "observed_at": one.observed_at, "label": one.labels, "reward": plain,
        "rewards": named,
        **_each(one.request_ids, received_at=one.received_at),
    }  # fmt: skip


def _shadow(one: ShadowBatch) -> _Part:
    rest = _each(
        one.request_ids, answered_at=one.answered_at, version=one.version, epoch=one.epoch, latency_us=one.latency_us, error=one.error
    )
    return {"request_id": one.request_ids, "row": one.rows, **rest, **_predictions(one.predictions)}


def _each(requests: list[str], **same: Any) -> _Part:
    return {name: [value] * len(requests) for name, value in same.items()}


def _predictions(values: list[Any]) -> _Part:
    return {"probabilities" if values and isinstance(values[0], list) else "prediction": values}
