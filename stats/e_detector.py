"""Betting e-detector: has the mean of non-negative numbers risen above its limit, at a time that nobody knows?

For every possible start of the rise a gambler begins with 1 and stakes a share of it, at fair odds, on the next number being above its
limit. While the conditional mean is at most the limit no gambler can expect to win, whatever the numbers' distribution, dependence and
spread; the evidence is the sum of what all gamblers hold (Shiryaev-Roberts).

Sources: Shin, Ramdas and Rinaldo (2024), E-detectors: a nonparametric framework for sequential change detection, arXiv:2203.03532; the
bets are those of Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting, arXiv:2010.09686.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STAKES = np.array([[0.06], [0.12], [0.25], [0.5], [0.99]])  # small ones find small rises, large ones find large rises soon
_MOST = 200.0  # logarithm of the most that one gambler may hold, so that sums stay finite; what is cut off only lowers the evidence


@dataclass(frozen=True, slots=True)
class Rise:
    """How strong the evidence for a rise is, and the index from which on it is strongest (0 where there are no numbers)."""

    evidence: float
    start: int


def rise(values: NDArray[np.float64], limits: NDArray[np.float64], top: float) -> Rise:
    """Return the evidence after the last number that the mean has risen above its limit at some time before.

    If no conditional mean is above its limit, the evidence reaches c at any of the first n looks (one after each number) with a chance of
    at most n / c, and for the first time after at least c looks on average. Looking less often, or only at the newest numbers, keeps both.

    Args:
        values: (n,) numbers of 0 or more, in the order they came.
        limits: (n,) what each conditional mean may be at most; known before the number came.
        top: the greatest limit there can be, the same at all looks; stakes are in proportion to limit / top.

    Raises:
        ValueError: a number is negative or not finite, or a limit is not between 0 and `top`.

    >>> rise(np.ones(50), np.ones(50), top=1.0).evidence
    50.0
    >>> seen = rise(np.array([0.9] * 50 + [2.0] * 10), np.ones(60), top=1.0)
    >>> seen.start, seen.evidence > 100
    (50, True)
    """
    if not len(values):
        return Rise(0.0, 0)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError("the bets need numbers of 0 or more that are finite")
    if not ((limits > 0).all() and (limits <= top).all()):
        raise ValueError(f"each limit must lie between 0 and top ({top})")
    growth = np.log1p(_STAKES * (values - limits) / top).cumsum(axis=1)
    before = np.hstack([np.zeros_like(_STAKES), growth[:, :-1]])
    held = np.exp(np.minimum(growth[:, -1:] - before, _MOST)).mean(axis=0)
    return Rise(float(held.sum()), int(held.argmax()))
