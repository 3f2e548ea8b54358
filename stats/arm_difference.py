"""Confidence sequence for the difference of two arms' rewards: it may be looked at after every unit.

Each arm's reward is a ratio of sums, weighted by one over the propensity (self-normalised inverse propensity weighting, SNIPS): total
reward over rows (a click-through rate), or over units where every denominator is 1 (revenue per user). Its error is a mean of influence
values, by the delta method w (s - R n) / mean(w n), so the asymptotic confidence sequence for means carries over.

Sources: Swaminathan and Joachims (2015), The self-normalized estimator for counterfactual learning, NeurIPS; Deng, Knoblich and Lu (2018),
Applying the delta method in metric analytics, arXiv:1803.06336; Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), arXiv:2103.06476,
whose boundary holds for any estimator that is asymptotically linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stats.confidence_sequence import Floats, Path, boundary


@dataclass(frozen=True, slots=True)
class Rewards:
    """The rewards of units in the order they came; arrays of one length.

    Attributes:
        treated: whether a unit belongs to the arm that is judged; else to the one it is held against.
        propensity: the chance with which it came into its arm.
        total: its rewards together. rows: over how many they are averaged; ones for a mean per unit.
    """

    treated: NDArray[np.bool_]
    propensity: Floats
    total: Floats
    rows: Floats


def arm_difference_path(rewards: Rewards, alpha: float, tightest_at: int = 50) -> Path:
    """Return, after each unit, the judged arm's reward less the other's, between its bounds.

    Args:
        alpha: chance, over all looks together, that the bounds ever miss the difference (as units grow many).
        tightest_at: the number of units at which the bounds are narrowest; it must not depend on the rewards.

    Returns:
        Arrays of the units' length; the mean is NaN and the bounds are infinite until both arms have two units and a row.

    Raises:
        ValueError: a propensity does not lie in (0, 1], or alpha not in (0, 1).

    >>> half = Rewards(np.array([True, False] * 3), np.full(6, 0.5), np.array([2.0, 1.0, 4.0, 1.0, 3.0, 1.0]), np.ones(6))
    >>> path = arm_difference_path(half, alpha=0.05)
    >>> float(path.mean[-1]), bool(path.lower[-1] < 2.0 < path.upper[-1])
    (2.0, True)
    """
    if not ((rewards.propensity > 0) & (rewards.propensity <= 1)).all():
        raise ValueError("a propensity does not lie between 0 and 1")
    judged, against = _arm(rewards, rewards.treated), _arm(rewards, ~rewards.treated)
    with np.errstate(invalid="ignore"):
        mean = judged.value - against.value
        spread = np.sqrt(judged.variance + against.variance)
        smaller = np.minimum(judged.units, against.units)
        count = np.arange(1, len(mean) + 1)
        radius = spread * boundary(count, alpha, tightest_at, smaller - 1)
    known = (smaller >= 2) & np.isfinite(mean)
    radius = np.where(known, radius, np.inf)
    centre = np.where(known, mean, 0.0)
    return Path(np.where(known, mean, np.nan), centre - radius, centre + radius)


@dataclass(frozen=True, slots=True)
class _Arm:
    value: Floats
    variance: Floats
    units: NDArray[np.int64]


def _arm(rewards: Rewards, mine: NDArray[np.bool_]) -> _Arm:
    """The ratio of one arm after each unit, and the variance of its error: all from running sums."""
    weight = np.where(mine, 1.0 / rewards.propensity, 0.0)
    units = np.cumsum(mine.astype(np.int64))
    reward, rows = weight * rewards.total, weight * rewards.rows
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.cumsum(rows)
        value = np.cumsum(reward) / below
        squares = np.cumsum(reward**2) - 2 * value * np.cumsum(reward * rows) + value**2 * np.cumsum(rows**2)
        variance = np.maximum(squares, 0.0) / below**2 * units / np.maximum(units - 1, 1)
    return _Arm(value, variance, units)
