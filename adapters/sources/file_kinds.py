"""The kinds of files that hold tables, told by their names: CSV, TSV, Parquet and JSON Lines; text forms may be gzipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.errors import SpecError
from contracts.source import TableFiles

_PARQUET, _LINES, _TEXT = (".parquet", ".pq"), (".jsonl", ".ndjson"), (".csv", ".tsv", ".txt")
_USUAL = TableFiles()


def is_table(name: str) -> bool:
    """Return whether a file's name tells a kind that can be read."""
    return _plain(name).endswith((*_PARQUET, *_LINES, *_TEXT))


def is_parquet(path: Path) -> bool:
    """Return whether its name says Parquet."""
    return _plain(path.name).endswith(_PARQUET)


def is_lines(path: Path) -> bool:
    """Return whether its name says JSON Lines."""
    return _plain(path.name).endswith(_LINES)


def read_table(path: Path, how: TableFiles = _USUAL) -> pd.DataFrame:
    """Return a file's rows; its kind is told by its name (.csv, .tsv, .parquet, .jsonl, .ndjson, each text form also with .gz).

    Raises:
        SpecError: the kind is not known, or the content is not of that kind.
    """
    with named_mistakes(path, how):
        if is_parquet(path):
            return pd.read_parquet(path)
        if is_lines(path):
            lines: pd.DataFrame = pd.read_json(path, **json_options(how))
            return lines
        table: pd.DataFrame = pd.read_csv(path, **csv_options(path, how))
        return table


def csv_options(path: Path, how: TableFiles) -> dict[str, Any]:
    """Return how pandas reads a CSV or TSV file."""
    separator = "\t" if _plain(path.name).endswith(".tsv") else how.delimiter
    return {"sep": separator, "decimal": how.decimal, "encoding": how.encoding, "low_memory": False}


def json_options(how: TableFiles) -> dict[str, Any]:
    """Return how pandas reads a JSON Lines file; without `precise_float` the last bit of a number may be another."""
    return {"lines": True, "dtype": False, "precise_float": True, "encoding": how.encoding}


@contextmanager
def named_mistakes(path: Path, how: TableFiles) -> Iterator[None]:
    """Say in words what a reader found.

    Raises:
        SpecError: the file is of no known kind, of another encoding than `source.encoding`, or broken.
    """
    if not is_table(path.name):
        raise SpecError(f"{path} is of no kind that is known.", "Give a .csv, .csv.gz, .tsv, .parquet or .jsonl file.")
    try:
        yield
    except UnicodeError as error:
        raise SpecError(
            f"{path} is not text in {how.encoding}: {str(error).strip().splitlines()[0]}.",
            "Name its encoding under source.encoding, such as latin-1, cp1252 or utf-16.",
        ) from error
    except (ValueError, OSError, EOFError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        raise SpecError(f"{path} cannot be read: {str(error).strip().splitlines()[0]}.", "Mend the file, or source.delimiter.") from error


def _plain(name: str) -> str:
    return name.lower().removesuffix(".gz")
