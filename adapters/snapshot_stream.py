"""A snapshot that is larger than memory, as DuckDB streams it: of rows with one key the one that came last counts, as always."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

from adapters.columnar.columns import quoted, text
from adapters.columnar.database import open_database
from adapters.machine import cores
from contracts.columns import EVENT_TIME

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE, ROW = "understudy file", "understudy row"  # where a row stands: they decide between equal times
_MEMORY = "256MB"  # of DuckDB's own; beyond it goes to disk
_ROWS_AT_ONCE = 20_000


class SnapshotStream:
    """A snapshot's rows, open for questions."""

    def __init__(self, database: DuckDBPyConnection) -> None:
        self._database = database
        self._types = {str(row[0]): str(row[1]) for row in database.execute("DESCRIBE kept").fetchall()}

    def newest(self, target: str) -> datetime | None:
        """Return the event time of the newest row that has a target; None where none has."""
        sql = f"SELECT epoch_us(max({quoted(EVENT_TIME)})) FROM kept WHERE {self._filled(target)}"  # noqa: S608  # quoted
        found = self._database.execute(sql).fetchall()[0][0]
        return None if found is None else pa.scalar(found, pa.timestamp("us", "UTC")).as_py()

    def tables(
        self, columns: Sequence[str], target: str, after: datetime | None, until: datetime | None, *, ordered: bool = False
    ) -> Iterator[pa.Table]:
        """Yield the rows with a target and after < event_time <= until, a piece at a time.

        Args:
            columns: of these, and of where a row stands.
            ordered: by event time; equal times keep the order in which they came.
        """
        limits = [self._filled(target)]
        limits += [] if after is None else [f"epoch_us({quoted(EVENT_TIME)}) > {_micros(after)}"]
        limits += [] if until is None else [f"epoch_us({quoted(EVENT_TIME)}) <= {_micros(until)}"]
        names = ", ".join(map(quoted, [*columns, FILE, ROW]))
        sql = f"SELECT {names} FROM kept WHERE {' AND '.join(limits)}"  # noqa: S608  # quoted
        sql += f" ORDER BY {quoted(EVENT_TIME)}, {quoted(FILE)}, {quoted(ROW)}" if ordered else ""
        for batch in self._database.sql(sql).to_arrow_reader(_ROWS_AT_ONCE):
            yield _in_utc(pa.Table.from_batches([batch]))

    def write(self, to: Path) -> None:
        """Write the rows to a Parquet file, by event time; equal times keep the order in which they came."""
        order = ", ".join(map(quoted, (EVENT_TIME, FILE, ROW)))
        rows = f"SELECT * EXCLUDE ({quoted(FILE)}, {quoted(ROW)}) FROM kept ORDER BY {order}"  # noqa: S608  # quoted
        self._database.execute(f"COPY ({rows}) TO {text(str(to))} (FORMAT parquet)")

    def _filled(self, target: str) -> str:
        number = self._types.get(target) in ("DOUBLE", "FLOAT")
        return f"{quoted(target)} IS NOT NULL" + (f" AND NOT isnan({quoted(target)})" if number else "")


@contextmanager
def open_snapshot(files: Sequence[Path], key: Sequence[str]) -> Iterator[SnapshotStream]:
    """Open a snapshot's Parquet files, oldest first.

    Args:
        key: columns that identify a row; none where every row counts.
    """
    listed = ", ".join(text(str(path)) for path in files)
    with open_database(_MEMORY, min(2, cores())) as database:  # each thread holds row groups of all columns
        stands = f"CAST(file_index AS BIGINT) AS {quoted(FILE)}, CAST(file_row_number AS BIGINT) AS {quoted(ROW)}"
        database.execute(f"CREATE VIEW stored AS SELECT *, {stands} FROM read_parquet([{listed}], union_by_name = true)")  # noqa: S608  # quoted
        database.execute(f"CREATE VIEW kept AS {_kept(database, key)}")
        yield SnapshotStream(database)


def _kept(database: DuckDBPyConnection, key: Sequence[str]) -> str:
    """Return the SQL of the rows that count; keys that come several times are looked for first: mostly there are none."""
    if not key:
        return "SELECT * FROM stored"
    names, place = ", ".join(map(quoted, key)), f"({quoted(FILE)}, {quoted(ROW)})"
    found = f"SELECT {names}, max({place}) AS last FROM stored GROUP BY {names} HAVING count(*) > 1"  # noqa: S608  # quoted
    database.execute(f"CREATE TEMP TABLE corrected AS {found}")
    same = " AND ".join(f"corrected.{quoted(one)} IS NOT DISTINCT FROM stored.{quoted(one)}" for one in key)
    return f"SELECT * FROM stored WHERE NOT EXISTS (SELECT 1 FROM corrected WHERE {same} AND last <> {place})"  # noqa: S608  # quoted


def _micros(moment: datetime) -> int:
    return int(pa.scalar(moment, pa.timestamp("us", "UTC")).value)


def _in_utc(table: pa.Table) -> Any:
    """A time with a zone comes in the session's; times are kept in UTC here."""
    fields = [
        field.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(field.type) and field.type.tz else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))
