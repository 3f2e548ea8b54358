"""What an arm would have earned had it answered everybody, read from traffic that was shared by known propensities.

IPS weighs each reward of the arm by one over its propensity: unbiased, also while the propensities moved with earlier rewards. SNIPS
divides by the sum of the weights instead of the number of units: a little bias that vanishes, far less variance where rewards are far
from 0. Sources: Horvitz and Thompson (1952), A generalization of sampling without replacement from a finite universe, JASA 47;
Swaminathan and Joachims (2015), The self-normalized estimator for counterfactual learning, NeurIPS; bounds by the asymptotic confidence
sequence of Waudby-Smith et al. (2021), arXiv:2103.06476, SNIPS by the delta method.
"""

from __future__ import annotations

import math

import numpy as np

from stats.arm_difference import Rewards
from stats.confidence_sequence import Interval, asymptotic_interval, boundary


def ips(rewards: Rewards, alpha: float, tightest_at: int = 50) -> Interval:
    """Return the judged arm's reward per unit by inverse propensity weighting, with bounds that hold at every look.

    Args:
        rewards: of all units, also those that other arms answered; `rows` is not used.
        alpha, tightest_at: as for `asymptotic_interval`.

    >>> found = ips(Rewards(np.array([True, False]), np.array([0.5, 0.5]), np.array([3.0, 9.0]), np.ones(2)), alpha=0.05)
    >>> found.mean, found.samples
    (3.0, 2)
    """
    return asymptotic_interval(np.where(rewards.treated, rewards.total / rewards.propensity, 0.0), alpha, tightest_at)


def snips(rewards: Rewards, alpha: float, tightest_at: int = 50) -> Interval:
    """Return the judged arm's reward by self-normalised weighting: its weighted rewards over its weighted rows.

    Args:
        rewards, alpha, tightest_at: as for `ips`.

    >>> both = Rewards(np.array([True, True, False]), np.array([0.5, 0.25, 0.5]), np.array([3.0, 3.0, 9.0]), np.ones(3))
    >>> snips(both, alpha=0.05).mean
    3.0
    """
    count = len(rewards.total)
    weight = np.where(rewards.treated, 1.0 / rewards.propensity, 0.0)
    below = float((weight * rewards.rows).sum())
    if count < 2 or not below:
        return Interval(math.nan, -math.inf, math.inf, count)
    value = float((weight * rewards.total).sum()) / below
    influence = weight * (rewards.total - value * rewards.rows) / (below / count)
    error = float(np.sqrt((influence**2).sum() / (count - 1) / count))
    radius = error * float(boundary(np.array([count]), alpha, tightest_at)[0])
    return Interval(value, value - radius, value + radius, count)
