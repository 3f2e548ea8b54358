"""A table of any size in DuckDB: Parquet files, which are streamed, or a table in memory.

The view `rows` has every stored column, the canonical form of each (see `columns`), and `understudy row`, which counts from 0.
"""

from __future__ import annotations

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


@dataclass(slots=True)
class Table:
    """An open table.

    Attributes:
        known: what was asked for already, by its SQL.
    """

    layout: Layout
    database: DuckDBPyConnection
    known: dict[str, Any] = field(default_factory=dict)

    def learn(self, sums: Sequence[str]) -> None:
        """Compute aggregates over all rows, all of them in one pass."""
        wanted = [one for one in dict.fromkeys(sums) if one not in self.known]
        if wanted:
            found = self.database.execute(f"SELECT {', '.join(wanted)} FROM rows").fetchall()[0]  # noqa: S608  # plans quote what they are given
            self.known.update(zip(wanted, found, strict=True))

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
def open_parquet(paths: Sequence[Path]) -> Iterator[Table]:
    """Open Parquet files that have one schema; their rows are numbered through."""
    schema = parquet.read_schema(paths[0])
    first, starts = 0, []
    for path in paths:
        starts.append(first)
        first += parquet.read_metadata(path).num_rows
    files = ", ".join(text(str(path)) for path in paths)
    offset = f"[{', '.join(map(str, starts))}][CAST(file_index AS BIGINT) + 1]" if len(paths) > 1 else "0"
    stored = f"(SELECT *, file_row_number + {offset} AS {ROW} FROM read_parquet([{files}]))"  # noqa: S608  # names are quoted
    with open_database(MEMORY, cores()) as database:
        yield _opened(database, layout_of(schema), stored)


def _opened(database: DuckDBPyConnection, layout: Layout, stored: str) -> Table:
    canonical = "".join(f", {one.raw} AS {one.sql}" for one in layout.columns.values())
    database.execute(f"CREATE VIEW rows AS SELECT *{canonical} FROM {stored}")  # noqa: S608  # names are quoted
    return Table(layout, database)
