"""Rows from files on disk: CSV, gzip CSV, Parquet and JSON Lines."""

from __future__ import annotations

import glob
from datetime import datetime
from pathlib import Path

import pandas as pd

from adapters.sources.rows import new_rows
from adapters.sources.variables import expanded
from contracts.errors import SpecError
from contracts.spec import Columns, FileSource

_PARQUET, _LINES, _TEXT = (".parquet", ".pq"), (".jsonl", ".ndjson"), (".csv", ".tsv", ".txt")


def read_files(source: FileSource, columns: Columns, after: datetime | None, until: datetime | None) -> pd.DataFrame:
    """Return the rows of all matching files with after < event_time <= until, sorted by event time; equal times keep file order.

    Raises:
        SpecError: no file matches, a file cannot be read, a column is missing, or a time cannot be read.
    """
    tables = ((str(path), read_table(path, source.delimiter)) for path in matching_files(source.path))
    return new_rows(tables, columns, after, until)


def matching_files(path: str) -> list[Path]:
    """Return the files that a path with `${NAME}` and globs names, sorted.

    Raises:
        SpecError: an environment variable is unset, or no file matches.
    """
    known = expanded(path, "source.path")
    found = [Path(name) for name in sorted(glob.glob(known, recursive=True)) if Path(name).is_file()]  # noqa: PTH207  # absolute patterns
    if not found:
        raise SpecError(
            f"The source's path '{known}' matches no file.", "Mend source.path in pipeline.yaml; it is read from the working directory."
        )
    return found


def is_table(name: str) -> bool:
    """Return whether a file's name tells a kind that can be read."""
    return name.lower().removesuffix(".gz").endswith((*_PARQUET, *_LINES, *_TEXT))


def read_table(path: Path, delimiter: str = ",") -> pd.DataFrame:
    """Return a file's rows; its kind is told by its name (.csv, .tsv, .parquet, .jsonl, .ndjson, each text form also with .gz).

    Raises:
        SpecError: the kind is not known, or the content is not of that kind.
    """
    name = path.name.lower().removesuffix(".gz")
    try:
        if name.endswith(_PARQUET):
            return pd.read_parquet(path)
        if name.endswith(_LINES):
            return pd.read_json(path, lines=True, dtype=False, precise_float=True)  # else the last bit of a number may be another
        if name.endswith(_TEXT):
            return pd.read_csv(path, sep="\t" if name.endswith(".tsv") else delimiter, low_memory=False)
    except (ValueError, OSError, EOFError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        raise SpecError(f"{path} cannot be read: {str(error).strip().splitlines()[0]}.", "Mend the file, or source.delimiter.") from error
    raise SpecError(f"{path} is of no kind that is known.", "Give a .csv, .csv.gz, .tsv, .parquet or .jsonl file.")
