"""Two samples of a column: of categories the p-value is statsmodels', the effect is the stability index, and missing values are seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportions_chisquare

from stats.column_difference import column_difference
from stats.psi import psi
from stats.smooth_test import smooth_p_value

RANDOM = np.random.default_rng(6)


def test_numbers_have_the_smooth_tests_p_value_and_the_stability_index_also_in_a_column_of_objects() -> None:
    before, after = RANDOM.normal(size=500), RANDOM.normal(0.3, 1, 400)
    found = column_difference(pd.Series(before), pd.Series(after.tolist(), dtype="object"))
    assert found.p_value == smooth_p_value(before, after)
    assert found.effect == pytest.approx(psi(before, after))


def test_two_categories_have_statsmodels_p_value_for_two_proportions() -> None:
    before, after = pd.Series(["a"] * 60 + ["b"] * 40), pd.Series(["a"] * 130 + ["b"] * 70)
    assert column_difference(before, after).p_value == pytest.approx(proportions_chisquare([60, 130], [100, 200])[1])


def test_values_that_are_missing_more_often_are_a_difference_even_where_the_rest_is_alike() -> None:
    same = RANDOM.normal(size=1000)
    found = column_difference(pd.Series(same), pd.Series(np.where(np.arange(1000) % 3 == 0, np.nan, same)))
    assert found.p_value < 1e-6
    assert found.effect > 0.5


def test_truth_values_are_categories_and_a_column_without_any_value_is_alike() -> None:
    assert column_difference(pd.Series([True, False] * 50), pd.Series([True, False] * 40, dtype="object")).p_value == 1.0
    nothing = pd.Series([None] * 30, dtype="object")
    assert column_difference(nothing, nothing).effect == 0.0


def test_where_nothing_differs_a_small_p_value_is_as_rare_as_it_says() -> None:
    p_values = [column_difference(pd.Series(RANDOM.normal(size=200)), pd.Series(RANDOM.normal(size=200))).p_value for _ in range(300)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)
