"""Isolation forest: how easily a row is set apart from all others by random cuts; rows that need few cuts are outliers.

Source: Liu, Ting and Zhou (2008), Isolation forest, IEEE International Conference on Data Mining; the forest is scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OutlierForest:
    """A forest and the score below which a row is called an outlier.

    Attributes:
        threshold: in the forest's own unit: the lower, the easier set apart.
    """

    forest: Any
    threshold: float

    def outliers(self, rows: Floats) -> NDArray[np.bool_]:
        """Return which of the rows (m, k) are outliers."""
        found: NDArray[np.bool_] = self.forest.score_samples(rows) < self.threshold
        return found


def grow(rows: Floats, share: float, seed: int = 0) -> OutlierForest:
    """Fit on half of the rows, and set the threshold so that `share` of the other half are outliers.

    Args:
        rows: (n, k) numbers; NaN is missing.
        share: of rows like these that are to be called outliers.

    Raises:
        ValueError: fewer than four rows, or a share that is not between 0 and 1.

    >>> forest = grow(np.random.default_rng(0).normal(size=(400, 2)), share=0.01)
    >>> forest.outliers(np.array([[0.0, 0.0], [9.0, -9.0]])).tolist()
    [False, True]
    """
    from sklearn.ensemble import IsolationForest

    if len(rows) < 4 or not 0 < share < 1:
        raise ValueError(f"{len(rows)} rows and a share of {share:g}: a forest needs four rows and a share between 0 and 1")
    order = np.random.default_rng(seed).permutation(len(rows))
    fitted, asked = rows[order[::2]], rows[order[1::2]]
    forest = IsolationForest(random_state=seed).fit(fitted)
    return OutlierForest(forest, float(np.quantile(forest.score_samples(asked), share)))
