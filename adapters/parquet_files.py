"""Writes Parquet files whole: a reader never sees half of one."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a table beside its place, sync it to disk, and move it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        frame.to_parquet(stream, engine="pyarrow", compression="zstd", index=False)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
