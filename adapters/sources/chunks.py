"""Reads a table's file in pieces: whole files never stand in memory, and every column has one kind, as if it had been read at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from adapters.sources.file_kinds import csv_options, is_lines, is_parquet, json_options, named_mistakes, read_table
from contracts.source import TableFiles

_ROWS = 200_000  # at most at a time


def table_chunks(path: Path, how: TableFiles) -> Iterator[pd.DataFrame]:
    """Yield a file's rows in order; a small file comes in one piece, and an empty one as a table without rows.

    Raises:
        SpecError: the kind is not known, or the content is not of that kind.
    """
    rows = min(how.part_rows, _ROWS)
    with named_mistakes(path, how):
        if is_parquet(path):
            yield from _parquet(path, rows)
        elif is_lines(path):
            with pd.read_json(path, chunksize=rows, **json_options(how)) as reader:
                yield from reader
        else:
            yield from _csv(path, how, rows)


def _parquet(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # nor does this

    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows > rows:
            yield from (pa.Table.from_batches([batch]).to_pandas() for batch in file.iter_batches(batch_size=rows))
            return
    yield read_table(path)


def _csv(path: Path, how: TableFiles, rows: int) -> Iterator[pd.DataFrame]:
    """Read a large file twice: a column that is text anywhere is text everywhere, so that 007 does not become 7 in one piece of it."""
    options = csv_options(path, how)
    texts = _texts(path, options, rows)
    if texts is None:
        yield read_table(path, how)
        return
    with pd.read_csv(path, chunksize=rows, dtype=dict.fromkeys(texts, "str"), **options) as reader:
        yield from reader


def _texts(path: Path, options: dict[str, Any], rows: int) -> list[str] | None:
    """Return the columns that are text in some piece of the file; None where there is only one piece."""
    found: dict[str, None] = {}
    pieces = 0
    with pd.read_csv(path, chunksize=rows, **options) as reader:
        for chunk in reader:
            pieces += 1
            if pieces == 1 and len(chunk) < rows:
                return None
            found |= {str(name): None for name in chunk.columns if pd.api.types.is_string_dtype(chunk[name].dtype)}
    return list(found) if pieces else None
