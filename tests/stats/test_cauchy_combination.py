"""The combination keeps what it promises where tests depend on each other, and one that sees nothing does not silence another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stats.cauchy_combination import combined


def test_equal_p_values_stay_what_they_are_and_order_does_not_matter() -> None:
    for p_value in (1e-250, 1e-15, 1e-3, 0.2, 0.7):
        assert combined([p_value] * 3) == pytest.approx(p_value, rel=1e-3)
    assert combined([0.01, 0.3, 0.6]) == pytest.approx(combined([0.6, 0.01, 0.3]))


@pytest.mark.parametrize("p_values", [[0.01, 0.4], [0.2, 0.03, 0.9], [0.5, 0.5, 0.0004]])
def test_it_is_scipys_cauchy_quantiles_averaged(p_values: list[float]) -> None:
    assert combined(p_values) == pytest.approx(stats.cauchy.sf(stats.cauchy.isf(p_values).mean()))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
def test_where_nothing_is_to_be_seen_it_is_as_rare_as_it_says_whatever_the_dependence(correlation: float) -> None:
    random, shared = np.random.default_rng(1), np.sqrt(correlation)
    normals = shared * random.normal(size=(20_000, 1)) + np.sqrt(1 - correlation) * random.normal(size=(20_000, 3))
    found = np.array([combined(one) for one in 2 * stats.norm.sf(np.abs(normals))])
    assert np.mean(found <= 0.01) <= 0.011 + 3 * np.sqrt(0.0099 / 20_000)


def test_a_test_that_sees_nothing_at_all_silences_no_other() -> None:
    assert combined([1e-9, 1.0, 1.0]) < 1e-8
    assert combined([1.0, 1.0]) == pytest.approx(0.99)
