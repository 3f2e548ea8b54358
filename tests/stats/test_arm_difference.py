"""The difference of two arms: right against statsmodels at one look, and within alpha over all of them."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from stats import arm_difference
from stats.arm_difference import Rewards, arm_difference_path
from stats.confidence_sequence import boundary


def drawn(seed: int, count: int, share: float, lift: float = 0.0) -> Rewards:
    draw = np.random.default_rng(seed)
    treated = draw.random(count) < share
    total = draw.exponential(1.0, count) + lift * treated
    return Rewards(treated, np.where(treated, share, 1 - share), total, np.ones(count))


def test_the_examples_hold() -> None:
    assert doctest.testmod(arm_difference).failed == 0


def test_with_one_share_mean_and_standard_error_are_welchs() -> None:
    rewards = drawn(1, 400, 0.3, lift=0.2)
    path = arm_difference_path(rewards, alpha=0.05, tightest_at=400)
    compared = CompareMeans(DescrStatsW(rewards.total[rewards.treated]), DescrStatsW(rewards.total[~rewards.treated]))
    assert path.mean[-1] == pytest.approx(compared.d1.mean - compared.d2.mean)
    smaller = np.array([min(rewards.treated.sum(), (~rewards.treated).sum()) - 1])
    radius = compared.std_meandiff_separatevar * boundary(np.array([400]), 0.05, 400, smaller)[0]
    assert path.upper[-1] - path.mean[-1] == pytest.approx(radius)
    assert radius > norm.ppf(0.975) * compared.std_meandiff_separatevar  # wider than a look at one time only


def test_a_ratio_has_the_delta_methods_error_by_hand() -> None:
    clicks, views = np.array([1.0, 0.0, 2.0, 1.0, 0.0, 1.0]), np.array([2.0, 1.0, 5.0, 2.0, 2.0, 4.0])
    treated = np.array([True, True, True, False, False, False])
    path = arm_difference_path(Rewards(treated, np.full(6, 0.5), clicks, views), alpha=0.05)
    assert path.mean[-1] == pytest.approx(3 / 8 - 2 / 8)
    errors = []
    for mine, ratio in ((treated, 3 / 8), (~treated, 2 / 8)):
        influence = (clicks[mine] - ratio * views[mine]) / views[mine].mean()
        errors.append((influence**2).sum() / 2 / 3)
    radius = np.sqrt(sum(errors)) * boundary(np.array([6]), 0.05, 50, np.array([2]))[0]
    assert path.lower[-1] == pytest.approx(1 / 8 - radius)


def test_a_ratio_is_not_the_mean_of_ratios() -> None:
    """Heavy users click less: whoever averages per-user rates answers another question."""
    views = np.array([1.0, 9.0] * 200)
    clicks = np.where(views == 1, 1.0, 0.9)
    treated = np.arange(400) % 4 < 2
    path = arm_difference_path(Rewards(treated, np.full(400, 0.5), np.where(treated, clicks, 0.0), views), alpha=0.05)
    assert path.mean[-1] == pytest.approx(1.9 / 10)


def test_weights_undo_shares_that_moved_with_time() -> None:
    """Rewards fall with time while the share grows: raw means say the arm is worse, weighted ones that there is no difference."""
    draw = np.random.default_rng(3)
    count = 40_000
    share = np.linspace(0.1, 0.9, count)
    treated = draw.random(count) < share
    total = np.linspace(1.0, 0.0, count) + draw.normal(0, 0.1, count)
    raw = total[treated].mean() - total[~treated].mean()
    path = arm_difference_path(Rewards(treated, np.where(treated, share, 1 - share), total, np.ones(count)), alpha=0.05)
    assert raw < -0.2
    assert path.lower[-1] < 0 < path.upper[-1]
    assert abs(path.mean[-1]) < 0.02


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_under_no_difference_all_looks_together_miss_with_chance_alpha_at_most(share: float) -> None:
    misses = 0
    for seed in range(400):
        path = arm_difference_path(drawn(seed, 2000, share), alpha=0.05, tightest_at=2000)
        known = np.arange(2000) >= 200
        misses += bool(((path.lower > 0) | (path.upper < 0))[known].any())
    assert misses / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_before_both_arms_are_known_nothing_is_claimed() -> None:
    path = arm_difference_path(Rewards(np.array([True] * 5), np.full(5, 0.5), np.ones(5), np.ones(5)), alpha=0.05)
    assert np.isnan(path.mean).all()
    assert np.isinf(path.lower).all()
    with pytest.raises(ValueError, match="propensity"):
        arm_difference_path(Rewards(np.array([True]), np.array([0.0]), np.ones(1), np.ones(1)), alpha=0.05)
