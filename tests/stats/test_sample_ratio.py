"""A split that is not the one asked for is seen, and one that is raises a false alarm with chance alpha at most, over all looks."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import chisquare

from stats import sample_ratio
from stats.sample_ratio import ratio_p_value


def test_the_examples_hold() -> None:
    assert doctest.testmod(sample_ratio).failed == 0


def test_by_hand_the_factor_of_counts_is_a_ratio_of_gamma_functions() -> None:
    assert ratio_p_value([([1, 0], [0.5, 0.5])]) == pytest.approx(1.0)
    counts, prior = np.array([70, 30]), np.array([50.0, 50.0])
    mixed = gammaln(prior + counts).sum() - gammaln(200) - gammaln(prior).sum() + gammaln(100)
    assert ratio_p_value([([70, 30], [0.5, 0.5])]) == pytest.approx(math.exp(-(mixed - 100 * math.log(0.5))))


def test_looked_at_after_every_unit_it_errs_within_alpha_where_a_chi_square_does_not() -> None:
    draw = np.random.default_rng(11)
    wrong = naive = 0
    for _ in range(300):
        came = np.cumsum(draw.random(3000) < 0.1)
        looks = range(100, 3000, 100)
        wrong += any(ratio_p_value([([n - int(came[n - 1]), int(came[n - 1])], [0.9, 0.1])]) < 0.05 for n in looks)
        naive += any(chisquare([n - came[n - 1], came[n - 1]], [0.9 * n, 0.1 * n]).pvalue < 0.05 for n in looks)
    assert wrong / 300 <= 0.05
    assert naive / 300 > 0.15


def test_lost_units_of_one_arm_are_seen() -> None:
    assert ratio_p_value([([18000, 1800], [0.9, 0.1])]) < 0.01  # one in ten of the smaller arm is missing
    assert ratio_p_value([([9000, 1000], [0.9, 0.1])]) == 1.0
    assert ratio_p_value([([5000, 5000], [0.5, 0.5]), ([2000, 8000], [0.2, 0.8])]) == 1.0  # each allocation against its own shares
    with pytest.raises(ValueError, match="share"):
        ratio_p_value([([1, 1], [0.5, 0.6])])
