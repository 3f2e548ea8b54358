"""Chi-squared test of two samples' categories: do they come from one distribution? By scipy; rows are taken as independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

_LEAST_EXPECTED = 5.0  # Cochran's rule: chi-squared's approximation needs about as many in every cell


def chi2_p_value(reference: ArrayLike, current: ArrayLike) -> float:
    """Return the p-value of the chi-squared test of homogeneity; categories too rare for it are put together.

    Args:
        reference, current: (k,) rows of each sample in each category.

    >>> chi2_p_value([50, 50], [20, 20])
    1.0
    """
    cells = _pooled(np.array([reference, current], dtype=np.float64))
    if cells.shape[1] < 2 or not cells.sum(axis=1).all():
        return 1.0
    return float(stats.chi2_contingency(cells, correction=False).pvalue)


def _pooled(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the categories together that the smaller sample would hold fewer than five of; with them the next rarest, if need be."""
    total = counts.sum()
    expected = counts.sum(axis=0) * counts.sum(axis=1).min() / total if total else np.zeros(counts.shape[1])
    order = np.argsort(expected, kind="stable")
    below = int((expected < _LEAST_EXPECTED).sum())
    while 0 < below < len(order) and expected[order[:below]].sum() < _LEAST_EXPECTED:
        below += 1
    if below < 2:
        return counts
    pool = counts[:, order[:below]].sum(axis=1, keepdims=True)
    return np.hstack([pool, counts[:, order[below:]]])
