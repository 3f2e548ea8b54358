"""Parts of a batch that passed, until all of them have: one in memory, several on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from adapters.parquet_files import write_parquet


class Staging:
    """Tables in the order in which they came.

    Args:
        folder: its own; what a killed process left there is removed.
    """

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._only: pd.DataFrame | None = None
        self._files: list[Path] = []

    def put(self, rows: pd.DataFrame) -> None:
        """Take a further table; an empty one is none."""
        if rows.empty:
            return
        if self._only is None and not self._files:
            self._only = rows
            return
        for frame in [rows] if self._only is None else [self._only, rows]:
            path = self._folder / f"{len(self._files):06}.parquet"
            write_parquet(frame, path)
            self._files.append(path)
        self._only = None

    def tables(self) -> Iterator[pd.DataFrame]:
        """Yield them one at a time, each for the last time."""
        if self._only is not None:
            yield self._only
        for path in self._files:
            yield pd.read_parquet(path)
            path.unlink()
