"""Cuts the input into tasks: the same input gives the same parts, whoever answers them and however often it is begun again."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.sources.file_kinds import is_parquet, is_table
from adapters.table_stream import cut, row_groups
from contracts.errors import SpecError, UsageError


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker reads at a time.

    Attributes:
        source: a file. label: its name in parts and messages, unique among the inputs.
        fingerprint: changes where the file does.
        groups: row groups of a Parquet file; None for a text file, which has no way in but its beginning.
        start: rows of the file before these. number: of the (first) part that it becomes.
    """

    source: Path
    label: str
    fingerprint: str
    groups: tuple[int, ...] | None
    start: int
    number: int

    def part(self, offset: int = 0) -> str:
        """Return the file name of a part."""
        return f"{self.label}-{self.number + offset:05d}.parquet"


def find_inputs(named: Sequence[str]) -> list[Path]:
    """Return the files that names, globs and folders stand for, sorted within each, none twice.

    Raises:
        UsageError: a name stands for nothing.
    """
    found: dict[Path, None] = {}
    for name in named:
        path = Path(name)
        if path.is_dir():
            files = [one for one in sorted(path.rglob("*")) if one.is_file() and _counts(one.relative_to(path)) and is_table(one.name)]
        else:
            files = [path] if path.is_file() else [Path(one) for one in sorted(glob.glob(name, recursive=True)) if Path(one).is_file()]  # noqa: PTH207  # a pattern may be absolute
        if not files:
            raise UsageError(
                f"No file is at '{name}'.", "Name a file, a folder with tables, or a pattern in quotes such as 'in/*.parquet'."
            )
        found.update(dict.fromkeys(files))
    return list(found)


def _counts(inside: Path) -> bool:
    """Return whether a file in a folder is data: what begins with a dot or an underline is some program's own."""
    return not any(part.startswith((".", "_")) for part in inside.parts)


def plan(inputs: Sequence[Path], rows_per_part: int) -> Iterator[Task]:
    """Yield the tasks of all files in order.

    Raises:
        SpecError: a file is of no known kind, or is not what its name says.
    """
    for path, label in zip(inputs, _labels(inputs), strict=True):
        if not is_table(path.name):
            raise SpecError(f"{path} is of no kind that is known.", "Give a .csv, .csv.gz, .tsv, .parquet or .jsonl file.")
        state = path.stat()
        fingerprint = f"{path.resolve()} {state.st_size} {state.st_mtime_ns} {rows_per_part}"
        if not is_parquet(path):
            yield Task(path.absolute(), label, fingerprint, None, 0, 0)
            continue
        for number, (start, groups) in enumerate(cut(row_groups(path), rows_per_part)):
            yield Task(path.absolute(), label, fingerprint, groups, start, number)


def _labels(inputs: Sequence[Path]) -> list[str]:
    """Return the files' names, and with the folders that tell them apart where two are the same."""
    names = [one.name for one in inputs]
    if len(set(names)) == len(names):
        return names
    return ["__".join(one.resolve().parts[1:]) for one in inputs]
