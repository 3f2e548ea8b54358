"""Rows are answered in blocks of one size, here and on a cluster: the last bits of a product may depend on how many rows come at once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adapters.package_store import LoadedPackage
from training.threads import threads_for

BLOCK_ROWS = 65_536


def in_blocks(package: LoadedPackage, rows: pd.DataFrame) -> np.ndarray:
    """Answer rows block by block."""
    return np.concatenate([answer_block(package, block) for block in blocks(rows)])


def answer_block(package: LoadedPackage, rows: pd.DataFrame) -> np.ndarray:
    """Answer the rows of one block."""
    with threads_for(len(rows)):
        return package.predict(rows)


def blocks(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Cut rows into blocks; no row is one empty block."""
    return [rows.iloc[start : start + BLOCK_ROWS] for start in range(0, max(len(rows), 1), BLOCK_ROWS)]
