"""The gamma-exponential mixture boundary: how far a sum may stray from its running conditional mean, at every look together.

For a process S with intrinsic time V that is sub-exponential with scale c (such as a sum of values that span at most c, with the squared
errors of any forecast of each as V), exp(l S - V psi(l)) with psi(l) = (-ln(1 - c l) - c l) / c^2 is a supermartingale for each l in
[0, 1/c). Mixed over l by a truncated gamma density it still is one, m(S, V); by Ville's inequality it ever reaches 1/alpha with chance
alpha at most. The boundary is the S at which m(S, V) = 1/alpha.

Source: Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals of Statistics
49(2), proposition 9; the boundary that Choe and Ramdas (2023), Comparing sequential forecasters, arXiv:2110.00115, lay around the mean
score difference of two forecasters.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln

Floats = NDArray[np.float64]
_MOST_STEPS = 60
_PRECISION = 1e-12


def gamma_exponential_boundary(variance: Floats, alpha: float, scale: float, tightest_at: float) -> Floats:
    """Return the boundary at each intrinsic time; a sub-exponential sum ever crosses it upwards with chance alpha at most.

    Args:
        variance: intrinsic times V, of any shape, at least 0, in the square of the sum's unit.
        alpha: chance of a crossing, over all looks together, on this one side.
        scale: c above, in the sum's unit.
        tightest_at: the V at which the boundary is narrowest; it must not depend on the values.

    Returns:
        Of the shape of `variance`, in the sum's unit.

    Raises:
        ValueError: alpha is not between 0 and 1, or a scale is not positive.

    >>> found = gamma_exponential_boundary(np.array([0.0, 10.0, 100.0]), alpha=0.025, scale=1.0, tightest_at=10.0)
    >>> found.round(2).tolist()
    [5.29, 13.01, 37.01]
    """
    if not 0 < alpha < 1 or scale <= 0 or tightest_at <= 0:
        raise ValueError(f"alpha {alpha} must lie between 0 and 1, scale {scale} and tightest_at {tightest_at} be above 0")
    rho = _rho(tightest_at / scale**2, alpha)
    shape = np.asarray(variance, dtype=np.float64) / scale**2 + rho
    return scale * _crossing(shape, rho, math.log(1 / alpha))


def _rho(tightest_at: float, alpha: float) -> float:
    """The mixture's parameter: the best one for a normal mixture on one side, which is close to the best here."""
    both = math.log(1 / (2 * alpha)) if alpha < 0.5 else 0.0
    return tightest_at / (2 * both + math.log1p(2 * both)) if both else tightest_at


def _crossing(shape: Floats, rho: float, level: float) -> Floats:
    """Where ln m reaches the level, by Newton's method: ln m is convex and grows, so steps from the right never overshoot."""
    leading = rho * math.log(rho) - float(gammaln(rho)) - math.log(float(gammainc(rho, rho)))
    constant = leading + gammaln(shape) - rho - level
    total = np.sqrt(2 * shape * level) + level
    for _ in range(_MOST_STEPS):
        place = total + shape
        inside = gammainc(shape, place)
        excess = constant + np.log(inside) - shape * np.log(place) + place
        density = np.exp((shape - 1) * np.log(place) - place - gammaln(shape))
        step = excess / (density / inside - shape / place + 1)
        total = np.maximum(total - step, 0.0)
        if np.all(np.abs(step) <= _PRECISION * place):
            break
    return total
