"""The confidence sequence keeps its promise over all looks together."""

from __future__ import annotations

import numpy as np
import pytest
from ville import AsymptoticCS

from stats.confidence_sequence import asymptotic_interval, asymptotic_path

RANDOM = np.random.default_rng(7)
STREAMS = {
    "even": RANDOM.normal(size=(4000, 150)),
    "heavy tails": RANDOM.standard_t(3, size=(4000, 150)),
    "blocks of 24 skewed losses": RANDOM.exponential(size=(4000, 150, 24)).mean(axis=2) - 1,
}


@pytest.mark.parametrize("tightest_at", [8, 50])
@pytest.mark.parametrize("kind", list(STREAMS))
def test_bounds_looked_at_after_every_block_from_the_eighth_miss_the_mean_in_at_most_five_percent_of_streams(
    kind: str, tightest_at: int
) -> None:
    path = asymptotic_path(STREAMS[kind], alpha=0.05, tightest_at=tightest_at)
    missed = ((path.lower > 0) | (path.upper < 0))[:, 7:].any(axis=1)
    assert missed.mean() <= 0.05


def test_the_path_is_the_interval_of_every_beginning_and_loses_no_digits_far_from_zero() -> None:
    stream = np.random.default_rng(2).normal(size=40) + 1e6
    path = asymptotic_path(stream, alpha=0.05)
    for count in (1, 2, 7, 40):
        found = asymptotic_interval(stream[:count], alpha=0.05)
        assert (found.mean, found.lower, found.upper) == (path.mean[count - 1], path.lower[count - 1], path.upper[count - 1])
    assert path.upper[-1] - 1e6 == pytest.approx(float(asymptotic_interval(stream - 1e6, alpha=0.05).upper), abs=1e-6)


def test_many_samples_give_the_boundary_of_the_paper() -> None:
    count, alpha, tightest_at = 20_000, 0.05, 50
    stream = np.random.default_rng(2).normal(size=count)
    rho2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / tightest_at
    radius = stream.std(ddof=1) * np.sqrt(2 * (count * rho2 + 1) / (count**2 * rho2) * np.log(np.sqrt(count * rho2 + 1) / alpha))
    found = asymptotic_interval(stream, alpha, tightest_at)
    assert (found.upper - found.lower) / 2 == pytest.approx(radius, rel=2e-3)


def test_a_real_difference_is_seen() -> None:
    stream = np.random.default_rng(7).normal(0.5, 1.0, 200)
    assert asymptotic_interval(stream, alpha=0.05).lower > 0


def test_one_sample_bounds_nothing() -> None:
    assert asymptotic_interval(np.array([1.0]), alpha=0.05).lower == -np.inf


def test_long_before_it_is_tightest_few_alike_samples_bound_nothing() -> None:
    path = asymptotic_path(np.ones(3), alpha=0.05, tightest_at=100_000)
    assert path.lower.tolist() == [-np.inf] * 3
    assert path.upper.tolist() == [np.inf] * 3


def test_a_value_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        asymptotic_interval(np.array([1.0, np.nan]), alpha=0.05)


@pytest.mark.parametrize("tightest_at", [50, 500])
def test_from_many_samples_on_the_interval_is_villes(tightest_at: int) -> None:
    stream = np.random.default_rng(9).exponential(size=5000)
    ours = asymptotic_path(stream, alpha=0.05, tightest_at=tightest_at)
    theirs = AsymptoticCS(alpha=0.05, t_opt=tightest_at).fit(stream)
    for count in (1000, 5000):
        radius = (theirs.upper_[count - 1] - theirs.lower_[count - 1]) / 2
        assert (ours.upper[count - 1] - ours.lower[count - 1]) / 2 == pytest.approx(radius, rel=1e-2)
