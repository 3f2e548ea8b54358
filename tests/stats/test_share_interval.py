"""The interval of a share holds at every look and at any sample size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import betaln
from statsmodels.stats.proportion import proportion_confint
from ville import BernoulliCS

from stats.share_interval import share_interval

LOOKS = np.unique(np.geomspace(1, 2000, 60).astype(int))


@pytest.mark.parametrize("share", [0.002, 0.3])
def test_bounds_looked_at_again_and_again_miss_the_share_in_at_most_five_percent_of_streams(share: float) -> None:
    counts = (np.random.default_rng(11).random((200, 2000)) < share).cumsum(axis=1)
    missed = 0
    for stream in counts:
        looks = [share_interval(int(stream[n - 1]), int(n), alpha=0.05) for n in LOOKS]
        missed += any(not look.lower <= share <= look.upper for look in looks)
    assert missed / 200 <= 0.05


def test_the_edge_is_where_the_mixture_reaches_one_over_alpha() -> None:
    lower = share_interval(7, 90, alpha=0.01).lower
    log_mixture = betaln(7.5, 83.5) - betaln(0.5, 0.5) - 7 * math.log(lower) - 83 * math.log1p(-lower)
    assert log_mixture == pytest.approx(math.log(100))


def test_a_model_that_always_fails_is_known_after_a_handful_and_one_slip_in_many_proves_nothing() -> None:
    assert share_interval(5, 5, alpha=0.01).lower > 0.2
    assert share_interval(1, 500, alpha=0.01).lower < 0.001


def test_no_trial_bounds_nothing_and_contradictions_are_refused() -> None:
    assert (share_interval(0, 0, 0.05).lower, share_interval(0, 0, 0.05).upper) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 of 2"):
        share_interval(3, 2, 0.05)


@pytest.mark.parametrize(("successes", "trials"), [(0, 40), (3, 40), (40, 40), (17, 2000)])
def test_the_interval_is_villes(successes: int, trials: int) -> None:
    stream = np.array([1.0] * successes + [0.0] * (trials - successes))
    theirs = BernoulliCS(alpha=0.05, prior=(0.5, 0.5), intersect=False).fit(stream)
    found = share_interval(successes, trials, alpha=0.05)
    assert (found.lower, found.upper) == pytest.approx((theirs.lower_[-1], theirs.upper_[-1]), abs=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(3, 40), (17, 2000)])
def test_looking_often_costs_width_against_an_interval_for_one_look(successes: int, trials: int) -> None:
    once_low, once_high = proportion_confint(successes, trials, alpha=0.05, method="beta")
    found = share_interval(successes, trials, alpha=0.05)
    assert found.lower < once_low < once_high < found.upper
