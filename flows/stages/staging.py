"""Parts of a batch that passed, until all of them have: one in memory, several on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
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

    def column(self, name: str) -> pd.Series:
        """Return a column of all tables."""
        parts = [self._only[name]] if self._only is not None else [pd.read_parquet(path, columns=[name])[name] for path in self._files]
        return pd.concat(parts, ignore_index=True) if parts else pd.Series()

    def rows(self, columns: Sequence[str], places: np.ndarray) -> Iterator[pd.DataFrame]:
        """Yield columns, where they are there, of the rows at these places, table by table; places are in order and count through all."""
        first = 0
        for one in [self._only] if self._only is not None else self._files:
            frame = one if isinstance(one, pd.DataFrame) else pd.read_parquet(one)
            low, high = np.searchsorted(places, [first, first + len(frame)])
            yield frame[[name for name in frame if name in columns]].iloc[places[low:high] - first]
            first += len(frame)

    def tables(self) -> Iterator[pd.DataFrame]:
        """Yield them one at a time, each for the last time."""
        if self._only is not None:
            yield self._only
        for path in self._files:
            yield pd.read_parquet(path)
            path.unlink()
