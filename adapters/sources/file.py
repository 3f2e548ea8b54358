"""Rows from files on disk: CSV, gzip CSV, Parquet and JSON Lines."""

from __future__ import annotations

import glob
from pathlib import Path

from adapters.sources.chunks import table_chunks
from adapters.sources.rows import Tables
from adapters.sources.variables import expanded
from contracts.errors import SpecError
from contracts.spec import FileSource


def tables(source: FileSource) -> Tables:
    """Yield the rows of all matching files, file by file and piece by piece.

    Raises:
        SpecError: no file matches, or a file cannot be read.
    """
    for path in matching_files(source.path):
        yield from ((str(path), chunk) for chunk in table_chunks(path, source))


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
