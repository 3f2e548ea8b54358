"""Asymptotic confidence sequence for a running mean: it may be looked at after every sample.

Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2021), Time-uniform central limit theory and asymptotic confidence sequences,
arXiv:2103.06476, theorem 2.2 (the two-sided Gaussian mixture boundary) with its approximate rule for choosing rho.

The theorem takes the standard deviation for known. With a few samples it is not, so the boundary is carried over from the normal to
Student's distribution at the same tail probability, as one does for a mean looked at once; with many samples that changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """The mean of `samples` numbers between its bounds; the bounds are infinite below two samples."""

    mean: float
    lower: float
    upper: float
    samples: int


@dataclass(frozen=True, slots=True)
class Path:
    """The interval after each sample: arrays of the values' shape."""

    mean: Floats
    lower: Floats
    upper: Floats


def asymptotic_interval(values: Floats, alpha: float, tightest_at: int = 50) -> Interval:
    """Return the confidence sequence's interval after the last of the values.

    Args:
        values: (n,) samples in the order they came, in any unit; the bounds have the same.
        alpha: chance, over all looks together, that the bounds ever miss the mean (as samples grow many).
        tightest_at: the number of samples at which the bounds are narrowest; it must not depend on the values.

    Raises:
        ValueError: alpha is not between 0 and 1, `tightest_at` is under 1, or a value is not finite.

    >>> found = asymptotic_interval(np.array([1.0, 2.0, 3.0, 2.0]), alpha=0.05)
    >>> found.mean, found.lower < 2.0 < found.upper
    (2.0, True)
    """
    path = asymptotic_path(values, alpha, tightest_at)
    if not len(values):
        return Interval(math.nan, -math.inf, math.inf, 0)
    return Interval(float(path.mean[-1]), float(path.lower[-1]), float(path.upper[-1]), len(values))


def asymptotic_path(values: Floats, alpha: float, tightest_at: int = 50) -> Path:
    """Return the interval after every sample: `asymptotic_interval` of each beginning of the values.

    Args:
        values: (n,) samples, or (streams, n).
        alpha, tightest_at: as for `asymptotic_interval`, and the same errors.

    >>> asymptotic_path(np.array([1.0, 3.0]), alpha=0.05).mean.tolist()
    [1.0, 2.0]
    """
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite; a mean of such values has no bounds")
    count = np.arange(1, values.shape[-1] + 1)
    first = values[..., :1]  # sums of what is left after the first value lose no digits where the mean is large
    off = np.cumsum(values - first, axis=-1) / count
    squares = np.cumsum(np.square(values - first), axis=-1) / count
    spread = np.sqrt(np.maximum(squares - np.square(off), 0.0) / np.maximum(count - 1, 1))
    with np.errstate(invalid="ignore"):  # far before `tightest_at` the boundary is infinite; times no spread that is not a number
        radius = spread * boundary(count, alpha, tightest_at)
    radius = np.where((count < 2) | np.isnan(radius), np.inf, radius)
    mean = off + first
    return Path(mean, mean - radius, mean + radius)


def boundary(count: NDArray[np.int64], alpha: float, tightest_at: int, freedom: NDArray[np.int64] | None = None) -> Floats:
    """Return how many standard errors the bounds lie from the mean after each number of samples.

    Args:
        count: (n,) numbers of samples, 1 or more.
        freedom: (n,) degrees of freedom of the standard error; one less than the samples where None.

    Raises:
        ValueError: alpha is not between 0 and 1, or `tightest_at` is under 1.

    >>> boundary(np.array([50]), alpha=0.05, tightest_at=50).round(2).tolist()
    [3.2]
    """
    if not 0 < alpha < 1 or tightest_at < 1:
        raise ValueError(f"alpha {alpha} must lie between 0 and 1 and tightest_at {tightest_at} be at least 1")
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tightest_at
    scaled = count * rho2 + 1
    normal = np.sqrt(2 * scaled / (count * rho2) * np.log(np.sqrt(scaled) / alpha))
    student: Floats = -stdtrit(np.maximum(count - 1 if freedom is None else freedom, 1), ndtr(-normal))
    return student
