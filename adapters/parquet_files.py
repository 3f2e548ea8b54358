"""Writes Parquet files whole: a reader never sees half of one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from adapters.whole_file import whole_file


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a table beside its place, sync it to disk, and move it there."""
    with whole_file(path) as stream:
        frame.to_parquet(stream, engine="pyarrow", compression="zstd", index=False)
