"""Two-sample tests: do two columns come from one distribution? p-values by scipy; rows are taken as independent."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

_LEAST_EXPECTED = 5.0  # Cochran's rule: chi-squared's approximation needs about as many in every cell


def ks_p_value(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """Return the p-value of the two-sample Kolmogorov-Smirnov test (asymptotic; with ties it errs on the quiet side).

    Args:
        reference, current: (n,) and (m,) finite numbers, at least one each.

    >>> ks_p_value(np.arange(100.0), np.arange(100.0))
    1.0
    """
    return float(stats.ks_2samp(reference, current, method="asymp").pvalue)


def chi2_p_value(reference: pd.Series, current: pd.Series) -> float:
    """Return the p-value of the chi-squared test of homogeneity; categories too rare for it are put together.

    Args:
        reference, current: categories, one a row; missing ones are left out.

    >>> chi2_p_value(pd.Series(["a", "b"] * 50), pd.Series(["a", "b"] * 20))
    1.0
    """
    counts = pd.DataFrame({"before": reference.value_counts(), "after": current.value_counts()}).fillna(0).to_numpy().T
    cells = _pooled(counts)
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
