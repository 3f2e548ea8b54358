"""A table of any size in DuckDB: Parquet files, which are streamed, or a table in memory.

The view `rows` has every stored column, the canonical form of each (see `columns`), and `understudy row`, which counts from 0.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
from pyarrow import parquet

from adapters.columnar.columns import Layout, layout_of, text
from adapters.columnar.database import open_database
from adapters.machine import cores

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROW = '"understudy row"'
MEMORY = "448MB"  # of DuckDB's own; beyond it goes to disk
_NULLS = re.compile(r'count\(\*\) FILTER \(WHERE ("(?:[^"]|"")+") IS (NOT )?NULL\)')


@dataclass(frozen=True, slots=True)
class Share:
    """Some of the rows of Parquet files.

    Attributes:
        first: number of the first file's first row.
        within: SQL: of one file, the rows from here to there; they are read without the others.
        keys: SQL: the rows whose keys are of this share.
    """

    first: int = 0
    within: str = "TRUE"
    keys: str = "TRUE"


WHOLE = Share()


@dataclass(frozen=True, slots=True)
class Distinct:
    """The distinct values of a column that are not missing.

    Attributes:
        of: SQL of the column.
        where: SQL: of these rows only.
        listed: how many are listed, the least first; all of them where None.
    """

    of: str
    where: str = "TRUE"
    listed: int | None = 0


@dataclass(slots=True)
class Table:
    """An open table.

    Attributes:
        known: what was asked for already, by its SQL.
        sets: how many values are distinct, and those that are listed, likewise.
    """

    layout: Layout
    database: DuckDBPyConnection
    known: dict[str, Any] = field(default_factory=dict)
    sets: dict[Distinct, tuple[int, list[Any]]] = field(default_factory=dict)

    def learn(self, sums: Sequence[str]) -> None:
        """Compute aggregates over all rows, all of them in one pass."""
        wanted = [one for one in dict.fromkeys(sums) if one not in self.known]
        asked = [one for one in dict.fromkeys(one for sql in wanted for one in _counted_by(sql)) if one not in self.known]
        if asked:
            found = self.database.execute(f"SELECT {', '.join(asked)} FROM rows").fetchall()[0]  # noqa: S608  # plans quote what they are given
            self.known.update(zip(asked, found, strict=True))
        self.known.update({sql: self._from_counts(sql) for sql in wanted if sql not in self.known})

    def _from_counts(self, sql: str) -> int:
        filled, *of = (int(self.known[one]) for one in _counted_by(sql))
        return of[0] - filled if of else filled

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of an answer."""
        return list(self.database.execute(sql).fetchall())

    @property
    def rows(self) -> int:
        """How many there are."""
        self.learn(["count(*)"])
        return int(self.known["count(*)"])

    def filled(self, sql: str) -> int:
        """Return in how many rows an expression is not NULL."""
        self.learn([f"count({sql})"])
        return int(self.known[f"count({sql})"])

    def distinct(self, asked: Distinct) -> tuple[int, list[Any]]:
        """Return how many values are distinct, and those that are listed, in order."""
        if asked not in self.sets:
            values = f"(SELECT DISTINCT {asked.of} AS v FROM rows WHERE {asked.of} IS NOT NULL AND ({asked.where}))"  # noqa: S608  # plans quote
            count = int(self.ask(f"SELECT count(*) FROM {values}")[0][0])  # noqa: S608  # as above
            limit = "" if asked.listed is None else f" LIMIT {asked.listed}"
            listed = [] if asked.listed == 0 else self.ask(f"SELECT v FROM {values} ORDER BY v{limit}")  # noqa: S608  # as above
            self.sets[asked] = count, [one for (one,) in listed]
        return self.sets[asked]


def _counted_by(sql: str) -> tuple[str, ...]:
    """Return what an aggregate is computed by: counting gaps by a filter takes many times as long as counting values."""
    gaps = _NULLS.fullmatch(sql)
    if gaps is None:
        return (sql,)
    values = f"count({gaps[1]})"
    return (values,) if gaps[2] else (values, "count(*)")


@contextmanager
def open_frame(frame: pd.DataFrame) -> Iterator[Table | None]:
    """Open a table in memory; None where it cannot be an Arrow table, such as with texts and numbers in one column."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Series.values returning", DeprecationWarning)  # pyarrow's way to read times with a zone
            stored = pa.Table.from_pandas(frame, preserve_index=False)
    except (ValueError, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        # mixed values, a time zone or a kind of column that Arrow has no word for (ArrowInvalid is a ValueError). Nothing is lost: the
        # other engine judges such a table, and where the suite may only be answered here the caller says so
        stored = None
    if stored is None or list(frame.columns) != stored.column_names:
        yield None
        return
    numbered = stored.append_column("understudy row", pa.array(np.arange(len(frame))))
    with open_database(MEMORY, cores()) as database:
        database.register("stored", numbered)
        yield _opened(database, layout_of(stored.schema, {name: frame[name].dtype for name in frame.columns}), "stored")


@contextmanager
def open_parquet(paths: Sequence[Path], share: Share = WHOLE, threads: int | None = None) -> Iterator[Table]:
    """Open Parquet files that have one schema, or a share of them; their rows are numbered through.

    Args:
        paths: in the order in which rows are counted.
        share: which rows.
        threads: that may work at once; one a core where None.
    """
    schema = parquet.read_schema(paths[0])
    first, starts = share.first, []
    for path in paths:
        starts.append(first)
        first += parquet.read_metadata(path).num_rows
    files = ", ".join(text(str(path)) for path in paths)
    offset = f"[{', '.join(map(str, starts))}][CAST(file_index AS BIGINT) + 1]" if len(paths) > 1 else str(share.first)
    stored = f"(SELECT *, file_row_number + {offset} AS {ROW} FROM read_parquet([{files}]) WHERE {share.within})"  # noqa: S608  # names are quoted
    with open_database(MEMORY, threads or cores()) as database:
        yield _opened(database, layout_of(schema), stored, share.keys)


def _opened(database: DuckDBPyConnection, layout: Layout, stored: str, where: str = "TRUE") -> Table:
    canonical = "".join(f", {one.raw} AS {one.sql}" for one in layout.columns.values())
    database.execute(f"CREATE VIEW rows AS SELECT * FROM (SELECT *{canonical} FROM {stored}) WHERE {where}")  # noqa: S608  # names are quoted
    return Table(layout, database)
