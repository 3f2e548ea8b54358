"""The reference in stretches as long as a batch: what it did itself is the measure for what a batch may do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from contracts.columns import EVENT_TIME

FEWEST_ROWS = 30  # of a batch and of a stretch, below which nothing is judged
_FEWEST, _MOST = 4, 24  # stretches
_MOST_ROWS = 20_000
_FIRST = 1 / 3  # of the reference, which only serves as the past of later stretches


def thinned(rows: pd.DataFrame, most: int = _MOST_ROWS) -> pd.DataFrame:
    """Return at most so many rows, evenly spaced."""
    return rows if len(rows) <= most else rows.iloc[np.linspace(0, len(rows) - 1, most).astype(int)]


def stretches(reference: pd.DataFrame, batch: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield (what came before, the stretch) for stretches of the reference that last as long as the batch; none where there are too few.

    Args:
        reference: rows with event_time, in its order.
        batch: rows with event_time.

    Only the later two thirds are cut into stretches, each held against all rows before it, as the batch is against the whole
    reference: a season that the past did not have counts as usual then. Of many stretches 24 are taken, evenly spaced, and of many rows
    20,000.
    """
    times = reference[EVENT_TIME]
    length = max(batch[EVENT_TIME].max() - batch[EVENT_TIME].min(), pd.Timedelta(seconds=1))
    start = times.iloc[0] + (times.iloc[-1] - times.iloc[0]) * _FIRST
    edges = times.searchsorted(pd.date_range(start, times.iloc[-1], freq=length)) if start + length <= times.iloc[-1] else np.array([])
    pairs = [(int(a), int(b)) for a, b in pairwise(edges) if b - a >= FEWEST_ROWS]
    if len(pairs) < _FEWEST:
        return
    for at in np.unique(np.linspace(0, len(pairs) - 1, _MOST).astype(int)):
        a, b = pairs[at]
        yield thinned(reference.iloc[:a]), thinned(reference.iloc[a:b])
