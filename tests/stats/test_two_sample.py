"""p-values are scipy's; rare categories are put together, so that chi-squared's approximation holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stats.two_sample import chi2_p_value, ks_p_value


def test_frequent_categories_give_scipys_p_value() -> None:
    before, after = pd.Series(["a"] * 50 + ["b"] * 50), pd.Series(["a"] * 80 + ["b"] * 20)
    expected = stats.chi2_contingency([[50, 50], [80, 20]], correction=False).pvalue
    assert chi2_p_value(before, after) == pytest.approx(expected)


def test_many_rare_categories_do_not_alarm_where_nothing_moved() -> None:
    random = np.random.default_rng(4)
    chance = 1 / np.arange(1, 61) / (1 / np.arange(1, 61)).sum()
    p_values = [chi2_p_value(pd.Series(random.choice(60, 2000, p=chance)), pd.Series(random.choice(60, 100, p=chance))) for _ in range(300)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_a_category_that_comes_up_is_seen_and_one_alone_is_not_a_difference() -> None:
    assert chi2_p_value(pd.Series(["a"] * 1000), pd.Series(["a"] * 900 + ["new"] * 100)) < 1e-6
    assert chi2_p_value(pd.Series(["a"] * 10), pd.Series(["a"] * 10)) == 1.0
    assert chi2_p_value(pd.Series(["a"] * 10), pd.Series([], dtype="object")) == 1.0


def test_a_mean_that_moved_is_seen() -> None:
    random = np.random.default_rng(0)
    assert ks_p_value(random.normal(0, 1, 5000), random.normal(0.2, 1, 5000)) < 1e-6
    assert ks_p_value(random.normal(0, 1, 5000), random.normal(0, 1, 5000)) > 0.001
