"""Asymptotic confidence sequence for a running mean: it may be looked at after every sample.

Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2021), Time-uniform central limit theory and asymptotic confidence sequences,
arXiv:2103.06476, theorem 2.2 (the two-sided Gaussian mixture boundary) with its approximate rule for choosing rho.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Interval:
    """The mean of `samples` numbers between its bounds; the bounds are infinite below two samples."""

    mean: float
    lower: float
    upper: float
    samples: int


def asymptotic_interval(values: NDArray[np.float64], alpha: float, tightest_at: int = 50) -> Interval:
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
    if not 0 < alpha < 1 or tightest_at < 1:
        raise ValueError(f"alpha {alpha} must lie between 0 and 1 and tightest_at {tightest_at} be at least 1")
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite; a mean of such values has no bounds")
    count = len(values)
    mean = float(values.mean()) if count else math.nan
    if count < 2:
        return Interval(mean, -math.inf, math.inf, count)
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tightest_at
    scaled = count * rho2 + 1
    radius = float(values.std(ddof=1)) * math.sqrt(2 * scaled / (count**2 * rho2) * math.log(math.sqrt(scaled) / alpha))
    return Interval(mean, mean - radius, mean + radius, count)
