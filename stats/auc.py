"""Area under the ROC curve with its standard error, also where scores come in blocks that belong together.

Sources: DeLong, DeLong and Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver operating characteristic
curves, Biometrics 44(3); by midranks as in Sun and Xu (2014), IEEE Signal Processing Letters 21(11); for blocks Obuchowski (1997),
Nonparametric analysis of clustered ROC curve data, Biometrics 53(2), for blocks that hold scores of one side only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit
from scipy.stats import rankdata


@dataclass(frozen=True, slots=True)
class Auc:
    """The chance that a score of the second side is above one of the first (ties count half).

    Attributes:
        value: 0.5 where the scores tell nothing.
        error: its standard error.
        freedom: degrees of freedom of that error: one less than the blocks of the side that has fewer.
    """

    value: float
    error: float
    freedom: int

    @property
    def p_value(self) -> float:
        """Of the hypothesis that the area is 0.5 or less, by Student's distribution."""
        if self.error == 0:
            return 0.0 if self.value > 0.5 else 1.0  # all scores apart, or none
        return float(stdtr(self.freedom, (0.5 - self.value) / self.error))

    def lower(self, alpha: float) -> float:
        """Return the lower confidence bound: the area is below it with a chance of `alpha`."""
        return max(0.0, self.value + float(stdtrit(self.freedom, alpha)) * self.error)


def auc(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    first_blocks: NDArray[np.int64] | None = None,
    second_blocks: NDArray[np.int64] | None = None,
) -> Auc:
    """Return the area between two samples of scores.

    Args:
        first, second: (n,) and (m,) scores, at least two of each.
        first_blocks, second_blocks: (n,) and (m,) numbers of the blocks; without them each score is one by itself.

    Raises:
        ValueError: a side has fewer than two blocks: nothing is known of the spread.

    >>> found = auc(np.array([0.1, 0.2, 0.3]), np.array([0.25, 0.4, 0.5]))
    >>> round(found.value, 3), round(found.error, 3)
    (0.889, 0.157)
    """
    n, m = len(first), len(second)
    ranks = rankdata(np.concatenate([first, second]))
    above = (ranks[n:] - rankdata(second)) / n  # of each second score, the share of first ones below it
    below = 1.0 - (ranks[:n] - rankdata(first)) / m
    area = float(above.mean())
    parts = [_variance(below, area, first_blocks), _variance(above, area, second_blocks)]
    freedom = min(blocks for _, blocks in parts) - 1
    return Auc(area, float(np.sqrt(sum(variance for variance, _ in parts))), freedom)


def _variance(shares: NDArray[np.float64], area: float, blocks: NDArray[np.int64] | None) -> tuple[float, int]:
    """Return what one side adds to the area's variance, and how many blocks it has."""
    off = shares - area if blocks is None else np.bincount(np.unique(blocks, return_inverse=True)[1], weights=shares - area)
    count = len(off)
    if count < 2:
        raise ValueError("an area's error needs two blocks or more on each side")
    return count / (count - 1) * float(np.square(off).sum()) / len(shares) ** 2, count
