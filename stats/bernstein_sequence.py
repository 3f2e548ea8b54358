"""Empirical-Bernstein confidence sequence for the running mean of bounded values: it holds at any number of samples.

What it covers is the mean of the *conditional* means, (E[x1 | nothing] + ... + E[xn | x1..xn-1]) / n. So values may depend on those before
them and their mean may drift; nothing is taken for normal, equal or independent. Because that mean moves, the bounds after n samples speak
of n samples only: earlier, narrower bounds are not carried on.

Source: Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals of Statistics
49(2), theorem 4, with the gamma-exponential mixture as boundary; for score differences of two sequential forecasters it is theorem 2 of
Choe and Ramdas (2023), arXiv:2110.00115.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stats.confidence_sequence import Path
from stats.sub_exponential import gamma_exponential_boundary

Floats = NDArray[np.float64]
_EXPECTED_SPREAD = 1 / 20  # standard deviation of a value over its range, for which the bounds are tuned; they hold for any other


def bernstein_path(values: Floats, alpha: float, bounds: tuple[float, float], tightest_at: int = 50) -> Path:
    """Return the interval after every sample.

    Args:
        values: (n,) samples in the order they came, or (streams, n); all within `bounds`.
        alpha: chance, over all looks together, that the interval ever misses the running mean of conditional means.
        bounds: least and greatest value that can come, known beforehand.
        tightest_at: the number of samples at which the bounds are narrowest (where their standard deviation is a twentieth of the range);
            it must not depend on the values.

    Raises:
        ValueError: a value lies outside of the bounds or is not finite, alpha is not between 0 and 1, or `tightest_at` is under 1.

    >>> path = bernstein_path(np.tile([0.4, 0.6], 500), alpha=0.05, bounds=(0.0, 1.0), tightest_at=1000)
    >>> round(float(path.lower[-1]), 3), round(float(path.upper[-1]), 3)
    (0.486, 0.514)
    """
    low, high = bounds
    if not low < high or tightest_at < 1:
        raise ValueError(f"bounds {low} to {high} must be in order and tightest_at {tightest_at} at least 1")
    if not np.all((values >= low) & (values <= high)):
        raise ValueError(f"a value lies outside of its bounds {low} to {high}")
    count = np.arange(1, values.shape[-1] + 1)
    mean = np.cumsum(values, axis=-1) / count
    middle = np.full_like(values[..., :1], (low + high) / 2)
    forecast = np.concatenate([middle, mean[..., :-1]], axis=-1)  # of each value, from those before it
    variance = np.cumsum(np.square(values - forecast), axis=-1)
    width = high - low
    radius = gamma_exponential_boundary(variance, alpha / 2, width, tightest_at * (width * _EXPECTED_SPREAD) ** 2) / count
    return Path(mean, np.maximum(mean - radius, low), np.minimum(mean + radius, high))
