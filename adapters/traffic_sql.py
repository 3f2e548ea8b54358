"""Questions in SQL over the traffic log, answered by DuckDB in bounded memory; closed segments are read where they lie.

Tables: `answers` (a row for each answered row, features as columns), `failures`, `feedback` (as it came), `shadow` (what followers of the
log answered), and the view `labelled` (answers with their last label and reward). Times are TIMESTAMP in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.traffic_closed import FRAME, SHAPE, ClosedPart, read_about
from adapters.traffic_log import TrafficLog
from adapters.traffic_sql_live import LIVE, TABLES, fill, make_tables, quoted
from adapters.traffic_store import Store, open_store
from contracts.errors import UsageError

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",  # beyond it goes to disk
    "autoinstall_known_extensions": "false",  # nothing is fetched from anywhere
    "autoload_known_extensions": "false",
}
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
        make_tables(database)
        log = TrafficLog(folder)
        closed = {name: fill(database, name, log, told) if name in named else [] for name in TABLES}
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
            raise UsageError(f"The question cannot be answered: {error}", f"There are: {', '.join(TABLES)}, labelled.") from None


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
    selects = [f"SELECT * FROM {LIVE}{name}"]  # noqa: S608  # a name of ours
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
    name = quoted(column)
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
        return set(TABLES)
    return words | ({"answers", "feedback"} if "labelled" in words else set())


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
