"""Thompson sampling: each arm gets units in proportion to the chance that it is the best one, given the rewards that have come.

Source: Thompson (1933), On the likelihood that one unknown probability exceeds another, Biometrika 25; for rewards that come in batches
and late Chapelle and Li (2011), An empirical evaluation of Thompson sampling, NeurIPS. Instead of one draw a unit, the chances are
computed once for an allocation and units are drawn by them: the propensity of every choice is then known exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one arm: how many rewards have come, their sum and their sum of squares."""

    count: int
    total: float
    squares: float


def best_shares(drawn: NDArray[np.float64], floor: float = 0.0) -> list[float]:
    """Return the share of draws in which each arm is the best, with at least `floor` for every arm.

    Args:
        drawn: (draws, arms) of the arms' posterior means.
        floor: below 1 / arms; what is left above the floors is shared by the chances.

    >>> best_shares(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]), floor=0.1)
    [0.7, 0.3]
    """
    arms = drawn.shape[1]
    chances = np.bincount(drawn.argmax(axis=1), minlength=arms) / len(drawn)
    shares: list[float] = np.round(floor + (1 - arms * floor) * chances, 12).tolist()
    return shares


def draw_beta(arms: Sequence[Seen], draw: Generator, draws: int = _DRAWS) -> NDArray[np.float64]:
    """Return draws from each arm's Beta posterior, for rewards of 0 or 1, from a uniform prior.

    Raises:
        ValueError: an arm's rewards cannot have been between 0 and 1.

    >>> drawn = draw_beta([Seen(50, 45.0, 45.0), Seen(50, 5.0, 5.0)], np.random.default_rng(0))
    >>> drawn.shape, best_shares(drawn)
    ((10000, 2), [1.0, 0.0])
    """
    wrong = [one for one in arms if not 0 <= one.total <= one.count]
    if wrong:
        raise ValueError(f"{wrong[0].count} rewards add up to {wrong[0].total}: binary rewards are 0 or 1")
    return np.column_stack([draw.beta(1 + one.total, 1 + one.count - one.total, draws) for one in arms])


def draw_gaussian(arms: Sequence[Seen], draw: Generator, draws: int = _DRAWS) -> NDArray[np.float64]:
    """Return draws from each arm's posterior mean, for rewards of any size: Student's, from a normal-inverse-gamma prior.

    The prior is worth one reward: its mean and variance are those of all arms' rewards together. Source of the update: Murphy (2007),
    Conjugate Bayesian analysis of the Gaussian distribution, section 6.

    >>> drawn = draw_gaussian([Seen(50, 100.0, 250.0), Seen(50, 0.0, 50.0)], np.random.default_rng(0))
    >>> best_shares(drawn)
    [1.0, 0.0]
    """
    count, total, squares = (sum(getattr(one, name) for one in arms) for name in ("count", "total", "squares"))
    centre = total / count if count else 0.0
    around = max(squares / count - centre**2, 0.0) if count else 1.0
    columns = []
    for one in arms:
        strength, freedom = 1 + one.count, 2 + one.count
        middle = (centre + one.total) / strength
        within = max(one.squares - one.total**2 / one.count, 0.0) if one.count else 0.0
        off = one.count / strength * (one.total / one.count - centre) ** 2 if one.count else 0.0
        scale = np.sqrt((2 * around + within + off) / freedom / strength)
        columns.append(middle + scale * draw.standard_t(freedom, draws))
    return np.column_stack(columns)
