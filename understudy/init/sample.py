"""Reads the sample: its kind is told by its name, its separator by its first lines."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_DELIMITERS = (",", ";", "\t", "|")
_HEAD = 65_536  # bytes that are looked at for the separator


@dataclass(frozen=True, slots=True)
class Sample:
    """All rows of a file, as the source will read them."""

    path: Path
    delimiter: str
    frame: pd.DataFrame


def read_sample(path: Path) -> Sample:
    """Read a file whole.

    Raises:
        SpecError: its kind is not known, or its content is not of that kind.
        UsageError: it has no row, or only one column.
    """
    from adapters.sources.file_kinds import read_table
    from contracts.source import TableFiles

    delimiter = _delimiter(path)
    frame = read_table(path, TableFiles(delimiter=delimiter))
    if frame.empty:
        raise UsageError(f"{path} has no row.", "Give a file with some hundred rows at least.")
    if len(frame.columns) < 2:
        raise UsageError(f"{path} has only one column, '{frame.columns[0]}'.", "Separate columns by a comma, semicolon, tab or bar.")
    return Sample(path, delimiter, frame)


def _delimiter(path: Path) -> str:
    name = path.name.lower()
    if not name.removesuffix(".gz").endswith((".csv", ".txt")):
        return ","
    try:
        with gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as file:
            head = file.read(_HEAD).decode(errors="ignore")
    except (OSError, EOFError):
        return ","  # reading the table says what is wrong with it
    return guess_delimiter(head, whole=len(head) < _HEAD)


def guess_delimiter(head: str, *, whole: bool = True) -> str:
    """Return the separator that cuts every line into equally many fields, and into most of them; a comma where none does.

    >>> guess_delimiter('a;b;c\\n1,5;2;"x, y"\\n')
    ';'
    """
    lines = head.splitlines() if whole else head.splitlines()[:-1]

    def fit(delimiter: str) -> tuple[bool, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        return len(set(counts)) == 1 and counts[0] > 1, counts[0] if counts else 0

    best = max(_DELIMITERS, key=fit)
    return best if fit(best)[1] > 1 else ","
