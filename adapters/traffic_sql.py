"""Questions in SQL over the traffic log, answered by DuckDB in bounded memory.

Tables: `answers` (a row for each answered row, features as columns), `failures`, `feedback` (as it came), `shadow` (what followers of the
log answered), and the view `labelled` (answers with their last label and reward). Times are TIMESTAMP in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from adapters.traffic_log import TrafficLog
from contracts.errors import UsageError
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, ShadowBatch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_B = TypeVar("_B")
_Part = dict[str, list[Any]]  # columns of one length
_ROWS_AT_ONCE = 50_000
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",  # beyond it goes to disk
    "autoinstall_known_extensions": "false",  # nothing is fetched from anywhere
    "autoload_known_extensions": "false",
}
_TABLES: dict[str, dict[str, str]] = {
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
_LABELLED = """
CREATE VIEW labelled AS SELECT answers.*, said.label, TRY_CAST(said.label AS DOUBLE) AS label_value, said.reward, said.rewards,
       said.observed_at
FROM answers LEFT JOIN (
    SELECT request_id, "row", arg_max(label, received_at) AS label, arg_max(reward, received_at) AS reward,
           arg_max(rewards, received_at) AS rewards,
           arg_max(observed_at, received_at) AS observed_at
    FROM feedback GROUP BY ALL
) AS said USING (request_id, "row")
"""


def ask_traffic(folder: Path, sql: str, told: Callable[[int], None] = lambda _rows: None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns and the rows of one question.

    Only the tables that the question names are read. It can read nothing else: neither files nor the network.

    Args:
        folder: the pipeline's traffic log.
        told: is called with the number of rows read so far.

    Raises:
        UsageError: the question is not one SELECT that DuckDB understands.
    """
    import duckdb

    named = _named(sql)
    with TemporaryDirectory(prefix="understudy-sql-") as spill, duckdb.connect(":memory:", config=_SETTINGS) as database:
        database.execute("SET temp_directory = ?", [spill])
        for name, columns in _TABLES.items():
            database.execute(f"CREATE TABLE {name} ({', '.join(f'{_quoted(one)} {kind}' for one, kind in columns.items())})")
        log = TrafficLog(folder)
        for name in _TABLES.keys() & named:
            _fill(database, name, _parts(log, name), told)
        database.execute(_LABELLED)
        database.execute("SET enable_external_access = false; SET lock_configuration = true")
        try:
            asked = database.extract_statements(sql)
            if len(asked) != 1 or asked[0].type != duckdb.StatementType.SELECT:
                raise UsageError("Only one SELECT is answered.", "Send one question without a second statement behind it.")
            found = database.execute(asked[0])
            return [one[0] for one in found.description or ()], found.fetchall()
        except duckdb.Error as error:
            raise UsageError(f"The question cannot be answered: {error}", f"There are: {', '.join(_TABLES)}, labelled.") from None


def _named(sql: str) -> set[str]:
    """Return the words of a question; `labelled` stands on two tables, and a question about the tables themselves reads all."""
    words = set(re.findall(r"\w+", sql.lower()))
    if words & {"describe", "summarize", "information_schema", "show"}:
        return set(_TABLES)
    return words | ({"answers", "feedback"} if "labelled" in words else set())


def _fill(database: DuckDBPyConnection, name: str, parts: Iterator[_Part], told: Callable[[int], None]) -> None:
    """Put rows into a table; a column that no earlier row had is added, one that changed its type takes what both fit into."""
    import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

    known = dict(_TABLES[name])
    done = 0
    for part in _gathered(parts):
        for column, values in part.items():
            kind = known.get(column) or _kind(values) or "DOUBLE"
            if column not in known:
                database.execute(f"ALTER TABLE {name} ADD COLUMN {_quoted(column)} {kind}")
            elif column not in _TABLES[name] and (wider := _wider(kind, _kind(values))) != kind:
                kind = wider
                database.execute(f"ALTER TABLE {name} ALTER {_quoted(column)} TYPE {kind}")
            known[column] = kind
        chunk = pa.table({one: pa.array(_as(known[one], values), type=_arrow(known[one])) for one, values in part.items()})
        database.register("chunk", chunk)
        database.execute(f"INSERT INTO {name} BY NAME SELECT * FROM chunk")  # noqa: S608  # a name of ours
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


def _quoted(name: str) -> str:
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
        return [None if one is None else one if isinstance(one, str) else str(one) for one in values]
    if kind == "DOUBLE":
        return [None if one is None else float(one) for one in values]
    return values


def _arrow(kind: str) -> Any:
    import pyarrow as pa

    return {
        "VARCHAR": pa.string(), "INTEGER": pa.int32(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
        "TIMESTAMP": pa.timestamp("us"), "DOUBLE[]": pa.list_(pa.float64()),
    }[kind]  # fmt: skip


def _parts(log: TrafficLog, name: str) -> Iterator[_Part]:
    if name == "answers":
        return map(_answers, _decoded(log, "answers", AnsweredBatch))
    if name == "failures":
        return map(_failures, _decoded(log, "failures", FailedBatch))
    if name == "feedback":
        return map(_feedback, _decoded(log, "feedback", FeedbackBatch))
    return (_shadow(one) for stream in log.streams("shadow-") for one in _decoded(log, stream, ShadowBatch))


def _decoded(log: TrafficLog, stream: str, kind: type[_B]) -> Iterator[_B]:
    return map(msgspec.msgpack.Decoder(kind).decode, log.bodies(stream))


def _answers(one: AnsweredBatch) -> _Part:
    ours: _Part = {
        "request_id": one.request_ids, "row": one.rows, "event_time": one.event_times, "unit": one.units,
        **_each(one.request_ids, logged_at=one.logged_at, version=one.version, epoch=one.epoch, arm=one.arm, propensity=one.propensity,
                latency_us=one.latency_us),
        **_predictions(one.predictions),
    }  # fmt: skip
    return ours | {f"feature_{name}" if name in _TABLES["answers"] else name: values for name, values in one.features.items()}


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
