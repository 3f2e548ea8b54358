"""Shares are the chances of being the best: right against an integral, the same for the same seed, never under the floor."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from stats import thompson
from stats.thompson import Seen, best_shares, draw_beta, draw_gaussian


def test_the_examples_hold() -> None:
    assert doctest.testmod(thompson).failed == 0


def test_the_chance_of_a_beta_arm_is_the_integrals() -> None:
    arms = [Seen(40, 18.0, 18.0), Seen(60, 33.0, 33.0)]
    exact, _ = quad(lambda x: beta.pdf(x, 34, 28) * beta.cdf(x, 19, 23), 0, 1)
    shares = best_shares(draw_beta(arms, np.random.default_rng(0), 200_000))
    assert shares[1] == pytest.approx(exact, abs=0.005)


def test_the_gaussian_posterior_is_students_around_the_mean() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 500)
    seen = Seen(500, float(values.sum()), float((values**2).sum()))
    (drawn,) = draw_gaussian([seen], np.random.default_rng(0), 100_000).T
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.01)
    assert drawn.std() == pytest.approx(values.std(ddof=1) / np.sqrt(500), rel=0.03)


def test_an_arm_without_rewards_is_as_good_as_any_until_it_has_some() -> None:
    for drawn in (
        draw_beta([Seen(0, 0.0, 0.0)] * 3, np.random.default_rng(0)),
        draw_gaussian([Seen(0, 0.0, 0.0)] * 3, np.random.default_rng(0)),
    ):
        assert best_shares(drawn) == pytest.approx([1 / 3] * 3, abs=0.02)
    shares = best_shares(draw_gaussian([Seen(200, 100.0, 90.0), Seen(0, 0.0, 0.0)], np.random.default_rng(0)))
    assert shares[1] == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_gives_the_same_shares_and_the_floor_holds_for_every_arm() -> None:
    arms = [Seen(1000, 500.0, 500.0), Seen(1000, 400.0, 400.0), Seen(1000, 100.0, 100.0)]
    once, twice = (best_shares(draw_beta(arms, np.random.default_rng([7, 3])), 0.05) for _ in range(2))
    assert once == twice
    assert min(once) >= 0.05
    assert sum(once) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="binary"):
        draw_beta([Seen(2, 3.5, 9.0)], np.random.default_rng(0))
