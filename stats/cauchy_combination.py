"""The Cauchy combination: one p-value from several of the same rows, which may depend on each other in any way they like.

Each p-value is put through the Cauchy distribution's quantile; their mean is Cauchy again, near enough where p-values are small, whatever
their dependence. A test that sees a change well is diluted far less by those that do not than by Bonferroni's correction.

Source: Liu and Xie (2020), Cauchy combination test, Journal of the American Statistical Association 115.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np
from scipy.stats import cauchy

_LEAST, _MOST = 1e-300, 0.99  # nearer to 1 a test that sees nothing would outvote the others


def combined(p_values: Sequence[float]) -> float:
    """Return the p-value of "none of these tests has anything to see".

    >>> round(combined([0.01, 0.01]), 6)
    0.01
    >>> round(combined([0.001, 0.6]), 4)
    0.002
    """
    kept = np.clip(np.asarray(p_values, dtype=np.float64), _LEAST, _MOST)
    quantiles = np.where(kept < 1e-12, 1 / (kept * pi), np.tan((0.5 - kept) * pi))
    return float(min(1.0, cauchy.sf(quantiles.mean())))
