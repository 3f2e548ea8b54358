"""p-values are scipy's; rare categories are put together, so that chi-squared's approximation holds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stats.two_sample import chi2_p_value


def test_frequent_categories_give_scipys_p_value() -> None:
    expected = stats.chi2_contingency([[50, 50], [80, 20]], correction=False).pvalue
    assert chi2_p_value([50, 50], [80, 20]) == pytest.approx(expected)


def test_many_rare_categories_do_not_alarm_where_nothing_moved() -> None:
    random = np.random.default_rng(4)
    chance = 1 / np.arange(1, 61) / (1 / np.arange(1, 61)).sum()
    p_values = [chi2_p_value(random.multinomial(2000, chance), random.multinomial(100, chance)) for _ in range(300)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_a_category_that_comes_up_is_seen_and_one_alone_is_not_a_difference() -> None:
    assert chi2_p_value([1000, 0], [900, 100]) < 1e-6
    assert chi2_p_value([10], [10]) == 1.0
    assert chi2_p_value([10], [0]) == 1.0
    assert chi2_p_value([], []) == 1.0
