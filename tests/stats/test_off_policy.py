"""IPS and SNIPS say what an arm alone would have earned, also where the shares moved with earlier rewards."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from stats import off_policy
from stats.arm_difference import Rewards
from stats.off_policy import ips, snips


def adaptive(seed: int, count: int = 600) -> Rewards:
    """A bandit whose share follows what it has seen: the judged arm earns 0.6 on average, the other 0.4."""
    draw = np.random.default_rng(seed)
    treated, propensity, total = np.zeros(count, dtype=bool), np.zeros(count), np.zeros(count)
    share = 0.5
    for start in range(0, count, 100):
        here = slice(start, start + 100)
        treated[here] = draw.random(100) < share
        propensity[here] = np.where(treated[here], share, 1 - share)
        total[here] = draw.random(100) < np.where(treated[here], 0.6, 0.4)
        done = slice(0, start + 100)
        share = float(np.clip(0.5 + total[done][treated[done]].mean() - total[done][~treated[done]].mean(), 0.1, 0.9))
    return Rewards(treated, propensity, total, np.ones(count))


def test_the_examples_hold() -> None:
    assert doctest.testmod(off_policy).failed == 0


def test_both_are_right_on_average_while_the_shares_move_with_the_rewards() -> None:
    runs = [adaptive(seed) for seed in range(300)]
    for estimate in (ips, snips):
        values = np.array([estimate(one, alpha=0.05).mean for one in runs])
        assert abs(values.mean() - 0.6) < 4 * values.std() / np.sqrt(300) + 0.003


@pytest.mark.parametrize("estimate", [ips, snips])
def test_the_bounds_hold(estimate: object) -> None:
    found = [estimate(adaptive(seed), alpha=0.05, tightest_at=600) for seed in range(300)]  # type: ignore[operator]  # one of two functions
    missed = np.mean([not one.lower <= 0.6 <= one.upper for one in found])
    assert missed <= 0.05


def test_self_normalising_keeps_a_constant_reward_constant() -> None:
    constant = Rewards(np.array([True, False, True, True]), np.array([0.2, 0.8, 0.5, 0.9]), np.full(4, 7.0), np.ones(4))
    assert snips(constant, alpha=0.05).mean == pytest.approx(7.0)
    assert ips(constant, alpha=0.05).mean == pytest.approx(7.0 * (5 + 2 + 1 / 0.9) / 4)
