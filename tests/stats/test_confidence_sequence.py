"""The confidence sequence keeps its promise over all looks together."""

from __future__ import annotations

import numpy as np
import pytest

from stats.confidence_sequence import asymptotic_interval


def test_bounds_looked_at_after_every_block_from_the_eighth_miss_the_mean_in_at_most_five_percent_of_streams() -> None:
    random = np.random.default_rng(7)
    missed = 0
    for _ in range(400):
        stream = random.exponential(1.0, 150) - random.exponential(1.0, 150)
        looks = (asymptotic_interval(stream[:n], alpha=0.05) for n in range(8, 151))
        missed += any(not look.lower <= 0.0 <= look.upper for look in looks)
    assert missed / 400 <= 0.05


def test_a_real_difference_is_seen() -> None:
    stream = np.random.default_rng(7).normal(0.5, 1.0, 200)
    assert asymptotic_interval(stream, alpha=0.05).lower > 0


def test_one_sample_bounds_nothing() -> None:
    assert asymptotic_interval(np.array([1.0]), alpha=0.05).lower == -np.inf


def test_a_value_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        asymptotic_interval(np.array([1.0, np.nan]), alpha=0.05)
