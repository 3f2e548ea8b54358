"""Numbers in order, sorted once: tests and effect sizes of one column look at the same values; two samples together without merging."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def in_order(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers sorted; those that are already cost one look."""
    return values if np.all(values[:-1] <= values[1:]) else np.sort(values)


def taken_together(first: NDArray[np.float64], second: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what stands at each place of both samples put in order together, by bisection, for all places at once.

    Args:
        first, second: (n,) and (m,) sorted numbers. places: (k,) each from 0 to n + m - 1.

    >>> taken_together(np.array([1.0, 4.0]), np.array([2.0, 3.0, 5.0]), np.array([0, 2, 4])).tolist()
    [1.0, 3.0, 5.0]
    """
    low, high = np.maximum(places + 1 - len(second), 0), np.minimum(places + 1, len(first))  # of `first`, up to the place
    before, after = np.concatenate([[-np.inf], first, [np.inf]]), np.concatenate([[-np.inf], second, [np.inf]])
    while np.any(low < high):
        middle = (low + high) // 2
        more = (low < high) & (before[middle + 1] < after[places + 1 - middle])
        low, high = np.where(more, middle + 1, low), np.where(more, high, np.minimum(middle, high))
    found: NDArray[np.float64] = np.maximum(before[low], after[places + 1 - low])
    return found
