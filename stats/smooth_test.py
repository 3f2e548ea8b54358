"""Neyman's smooth test on ranks: do two columns of numbers come from one distribution, seen through location, spread, skewness and tails?

Each number's rank among all is put through the first polynomials. Without a difference the sums over the current sample have a mean and a
covariance that are known exactly, ties too, and their quadratic form is chi-squared. Degree 1 is the Wilcoxon test, which sees location
best; degree 2 adds spread, degree 4 skewness and tails. The three are combined, so that none is paid for where another suffices.
Kolmogorov-Smirnov is nearly blind to a change of spread; this is not. Ranks are counted in cells: at most 200, and none so rare that
chi-squared would not hold.

Sources: Neyman (1937), "Smooth test" for goodness of fit, Skandinavisk Aktuarietidskrift 20; on two samples' ranks: Janic-Wróblewska and
Ledwina (2000), Data driven rank test for two-sample problem, Scandinavian Journal of Statistics 27.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray
from scipy.special import chdtrc

from stats.cauchy_combination import combined
from stats.in_order import in_order, taken_together

_DEGREES = (1, 2, 4)  # location; and spread; and skewness and tails
_CELLS = 200  # finer ranks would change no sum of polynomials of so low a degree
_LEAST_EXPECTED = 5.0  # rows of the smaller sample in each cell: Cochran's rule


def smooth_p_value(reference: NDArray[np.float64], current: NDArray[np.float64], degrees: tuple[int, ...] = _DEGREES) -> float:
    """Return the p-value (asymptotic, rows taken as independent), at most 0.99; 1.0 where all values but a few are equal.

    Args:
        reference, current: (n,) and (m,) finite numbers, at least one each.
        degrees: of the polynomials, one test for each; less is used where there are fewer cells.

    >>> smooth_p_value(np.arange(100.0), np.arange(100.0)) > 0.9
    True
    >>> smooth_p_value(np.linspace(-1, 1, 200), np.linspace(-1.5, 1.5, 200)) < 1e-4
    True
    """
    counts, mine = _cells(in_order(reference), in_order(current))
    possible = sorted({min(degree, len(counts) - 1) for degree in degrees} - {0})
    return combined([float(chdtrc(degree, form)) for degree, form in quadratic_forms(counts, mine, possible).items()]) if possible else 1.0


def quadratic_forms(counts: NDArray[np.int64], mine: NDArray[np.int64], degrees: Sequence[int]) -> dict[int, float]:
    """Return how far the current sample's polynomials of mid-ranks are from what every other choice of as many rows would give, by degree.

    Args:
        counts: (k,) rows of both samples in each cell, in order; more cells than any degree. mine: (k,) of these the current sample's.
    """
    total, current = int(counts.sum()), int(mine.sum())
    middles = (2 * counts.cumsum() - counts) / total - 1  # mid-ranks, from -1 to 1
    shapes = legvander(middles, max(degrees))[:, 1:]
    shapes -= counts @ shapes / total
    spread = (shapes * counts[:, None]).T @ shapes * (current * (total - current) / (total * (total - 1)))
    sums = mine @ shapes
    return {degree: float(sums[:degree] @ np.linalg.solve(spread[:degree, :degree], sums[:degree])) for degree in degrees}


def _cells(old: NDArray[np.float64], new: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many rows, of both and of the new, each cell holds; equal values share one. Both samples come sorted."""
    total = len(old) + len(new)
    least = int(np.ceil(max(_LEAST_EXPECTED * total / min(len(old), len(new)), total / _CELLS)))
    values = np.unique(taken_together(old, new, np.arange(least - 1, total, least)))
    of_both, of_new = [0], [0]
    for here, current in zip(*_up_to(values, old, new), strict=True):
        if here - of_both[-1] >= least:  # many equal values may have taken most of the next cell's
            of_both.append(here)
            of_new.append(current)
    ends, mine = [*of_both[1:-1], total], [*of_new[1:-1], len(new)]  # the last cell takes what is left over
    return np.diff(ends, prepend=0), np.diff(mine, prepend=0)


def _up_to(values: NDArray[np.float64], old: NDArray[np.float64], new: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Return how many rows of both, and of the new, are at most each value."""
    mine = np.searchsorted(new, values, side="right")
    return (mine + np.searchsorted(old, values, side="right")).tolist(), mine.tolist()
