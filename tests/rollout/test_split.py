"""Units are split as asked for, evenly over arms and independently from salt to salt."""

from __future__ import annotations

import doctest

import numpy as np
from scipy.stats import chisquare, kstest

from rollout import split


def test_the_examples_hold() -> None:
    assert doctest.testmod(split).failed == 0


def test_points_are_uniform_and_shares_are_met() -> None:
    points = np.array([split.point("p/2/3", f"user-{number}") for number in range(20_000)])
    assert kstest(points, "uniform").pvalue > 0.01
    shares = [0.6, 0.3, 0.1]
    counts = np.bincount([split.assign("p/2/3", f"user-{number}", shares) for number in range(20_000)])
    assert chisquare(counts, 20_000 * np.array(shares)).pvalue > 0.01


def test_another_salt_draws_anew() -> None:
    first, second = (np.array([split.point(salt, f"user-{number}") for number in range(5_000)]) for salt in ("p/2/3", "p/2/4"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(5_000)


def test_with_the_same_salt_a_growing_share_takes_nobody_out_of_the_arm() -> None:
    units = [f"user-{number}" for number in range(2_000)]
    before = {unit for unit in units if split.assign("s", unit, [0.9, 0.1])}
    after = {unit for unit in units if split.assign("s", unit, [0.5, 0.5])}
    assert before < after
