"""Questions in SQL over the traffic log, answered by DuckDB in bounded memory; closed segments are read where they lie.

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

from adapters.traffic_closed import FRAME, SHAPE, ClosedPart, feature_column, read_about
from adapters.traffic_log import LivePart, TrafficLog
from adapters.traffic_store import Store, open_store
from contracts.errors import UsageError
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, ShadowBatch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_B = TypeVar("_B")
_Part = dict[str, list[Any]]  # columns of one length
_ROWS_AT_ONCE = 50_000
_LIVE = "live_"  # before the name of a table: its rows in live segments
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


def ask_traffic(
    folder: Path, sql: str, told: Callable[[int], None] = lambda _rows: None, store: str | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns and the rows of one question.

    Only the tables that the question names are read. It can read nothing else: neither files nor the network.

    Args:
        folder: the pipeline's traffic log.
        told: is called with the number of live rows read so far.
        store: address of the object store; segments that are only there are fetched for the time of the question.

    Raises:
        UsageError: the question is not one SELECT that DuckDB understands.
    """
    import duckdb

    named = _named(sql)
    with TemporaryDirectory(prefix="understudy-sql-") as spill, duckdb.connect(":memory:", config=_SETTINGS) as database:
        database.execute("SET temp_directory = ?", [spill])
        database.execute("SET enable_progress_bar = false")  # standard output is for the answer
        for name, columns in _TABLES.items():
            live = ", ".join(f"{_quoted(one)} {kind}" for one, kind in columns.items())
            database.execute(f"CREATE TABLE {_LIVE}{name} ({live})")
        log = TrafficLog(folder)
        closed = {name: _fill(database, name, log, told) if name in named else [] for name in _TABLES}
        if store is not None:
            _fetch(open_store(store), log, closed, named, Path(spill))
        files = [str(part.path) for parts in closed.values() for part in parts]
        database.execute(f"SET allowed_paths = [{', '.join(map(_text, files))}]")
        for name, parts in closed.items():
            database.execute(f"CREATE VIEW {name} AS {_union(name, parts)}")
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


def _fetch(store: Store, log: TrafficLog, closed: dict[str, list[ClosedPart]], named: set[str], into: Path) -> None:
    """Add the segments of the tables asked for that are in the store and not here."""
    for name in store.names(f"{log.name}/"):
        _, stream, file = name.split("/")
        table = "shadow" if stream.startswith("shadow-") else stream
        if table in named and not log.has(stream, Path(file).stem):
            path = into / f"{stream}-{file}"
            store.get(name, path)
            closed[table].append(ClosedPart(path, read_about(path)))


def _union(name: str, parts: list[ClosedPart]) -> str:
    """Return the SELECT that gives a table's live and closed rows; files whose columns are alike are read as one."""
    alike: dict[tuple[tuple[str, str], ...], list[ClosedPart]] = {}
    for part in parts:
        alike.setdefault(_columns_of(part), []).append(part)
    selects = [f"SELECT * FROM {_LIVE}{name}"]  # noqa: S608  # a name of ours
    for columns, several in alike.items():
        files = ", ".join(_text(str(part.path)) for part in several)
        coded = {column for part in several for column in part.about.json}
        wanted = ", ".join(_selected(name, column, kind, column in coded) for column, kind in columns if column not in (FRAME, SHAPE))
        selects.append(f"SELECT {wanted} FROM read_parquet([{files}])")  # noqa: S608  # our files, quoted
    return " UNION ALL BY NAME ".join(selects)


def _columns_of(part: ClosedPart) -> tuple[tuple[str, str], ...]:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # pyarrow ships no types

    return tuple((field.name, "json" if field.name in part.about.json else str(field.type)) for field in pq.read_schema(part.path))


def _selected(table: str, column: str, kind: str, coded: bool) -> str:
    """Return how a column of a file becomes one of the table."""
    name = _quoted(column)
    text = f"CASE WHEN json_valid({name}) THEN json_extract_string({name}, '$') ELSE {name} END" if coded else f"CAST({name} AS VARCHAR)"
    if table == "feedback" and column == "label":
        return f"{text} AS label"
    if table == "feedback" and column == "reward":
        return f"TRY_CAST({name} AS DOUBLE) AS reward" + (
            f", CASE WHEN TRY_CAST({name} AS DOUBLE) IS NULL THEN {name} END AS rewards" if coded else ""
        )
    if column == "prediction" and kind.startswith("list"):
        return f"{name} AS probabilities"
    return f"{text} AS {name}" if coded else name


def _named(sql: str) -> set[str]:
    """Return the words of a question; `labelled` stands on two tables, and a question about the tables themselves reads all."""
    words = set(re.findall(r"\w+", sql.lower()))
    if words & {"describe", "summarize", "information_schema", "show"}:
        return set(_TABLES)
    return words | ({"answers", "feedback"} if "labelled" in words else set())


def _fill(database: DuckDBPyConnection, name: str, log: TrafficLog, told: Callable[[int], None]) -> list[ClosedPart]:
    """Put a table's live rows into the database and return its closed segments, which are read where they lie."""
    closed: list[ClosedPart] = []
    _insert(database, name, _parts(log, name, closed), told)
    return closed


def _insert(database: DuckDBPyConnection, name: str, parts: Iterator[_Part], told: Callable[[int], None]) -> None:
    """Put rows into a table; a column that no earlier row had is added, one that changed its type takes what both fit into."""
    import pyarrow as pa

    known, table = dict(_TABLES[name]), f"{_LIVE}{name}"
    done = 0
    for part in _gathered(parts):
        for column, values in part.items():
            kind = known.get(column) or _kind(values) or "DOUBLE"
            if column not in known:
                database.execute(f"ALTER TABLE {table} ADD COLUMN {_quoted(column)} {kind}")
            elif column not in _TABLES[name] and (wider := _wider(kind, _kind(values))) != kind:
                kind = wider
                database.execute(f"ALTER TABLE {table} ALTER {_quoted(column)} TYPE {kind}")
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


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


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
