"""The population stability index sees shifts, new values and missing ones, and says little where nothing changed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stats.psi import psi, psi_categories

RANDOM = np.random.default_rng(5)


def test_two_bins_give_the_sum_done_by_hand() -> None:
    found = psi([1.0] * 50 + [3.0] * 50, [1.0] * 20 + [3.0] * 80, bins=2)
    p, q = np.array([50.5, 50.5]) / 101, np.array([20.5, 80.5]) / 101
    assert found == pytest.approx(sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True)))


def test_without_a_difference_it_is_about_what_its_sampling_theory_says() -> None:
    found = [psi(RANDOM.normal(size=1000), RANDOM.normal(size=500)) for _ in range(200)]
    assert np.mean(found) == pytest.approx(9 * (1 / 1000 + 1 / 500), rel=0.2)


def test_a_moved_mean_counts_whatever_the_unit() -> None:
    before, after = RANDOM.normal(size=5000), RANDOM.normal(1.0, size=5000)
    assert psi(before, after) > 0.5
    assert psi(before * 1e6, after * 1e6) == pytest.approx(psi(before, after))


@pytest.mark.parametrize("moved", [-1.0, 1.0])
def test_leaving_a_constant_is_seen_on_either_side(moved: float) -> None:
    assert psi(np.zeros(100), np.full(100, moved)) > 1
    assert psi(np.zeros(100), np.zeros(50)) == 0


def test_missing_values_are_a_bin_of_their_own() -> None:
    full = RANDOM.normal(size=1000)
    half = np.where(np.arange(1000) % 2, full, np.nan)
    assert psi(full, half) > 0.5
    assert psi(half, half) == 0
    assert psi(np.full(9, np.nan), np.full(9, np.nan)) == 0


def test_unseen_and_missing_categories_count_and_rare_ones_are_one() -> None:
    assert psi_categories(["a"] * 90 + ["b"] * 10, ["a"] * 90 + ["c"] * 10) > 0.1
    assert psi_categories(["a"] * 100, ["a"] * 90 + [None] * 5 + [float("nan")] * 5) > 0.1
    many = [f"rare {number}" for number in range(1000)]
    assert psi_categories(["a"] * 1000 + many, ["a"] * 1000 + [f"new {number}" for number in range(1000)], most=1) == 0


def test_an_empty_sample_and_one_bin_are_refused() -> None:
    with pytest.raises(ValueError, match="empty sample"):
        psi([1.0], [])
    with pytest.raises(ValueError, match="empty sample"):
        psi_categories([], ["a"])
    with pytest.raises(ValueError, match="bins"):
        psi([1.0], [1.0], bins=1)
