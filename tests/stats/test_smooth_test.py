"""The smooth test on ranks: exact where it can be enumerated, Wilcoxon's at degree 1, p-values as rare as they say."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.polynomial.legendre import legvander
from scipy import stats

from stats.smooth_test import quadratic_forms, smooth_p_value


def test_degree_one_is_the_wilcoxon_test_with_ties() -> None:
    random = np.random.default_rng(1)
    before, after = random.integers(0, 6, 400).astype(float), random.integers(0, 6, 150).astype(float)
    assert smooth_p_value(before, after, degrees=(1,)) == pytest.approx(stats.kruskal(before, after).pvalue)


def test_cells_cost_next_to_nothing_against_exact_ranks() -> None:
    random = np.random.default_rng(4)
    before, after = random.normal(size=6000), random.normal(0.03, 1, size=3000)
    assert smooth_p_value(before, after, degrees=(1,)) == pytest.approx(stats.kruskal(before, after).pvalue, rel=0.1)


@pytest.mark.parametrize("counts", [[1] * 9, [2, 3, 1, 2, 1]])
def test_the_quadratic_form_is_that_of_all_choices_of_as_many_rows(counts: list[int]) -> None:
    """The covariance is not estimated: it is that over every way to choose which of the rows are current."""
    pooled, chosen, degree = np.repeat(np.arange(len(counts)), counts), (0, 5, 6, 8), 3
    shapes = legvander((2 * stats.rankdata(pooled) - 1) / len(pooled) - 1, degree)[:, 1:]
    every = np.array([shapes[list(one)].sum(axis=0) for one in combinations(range(len(pooled)), len(chosen))])
    away = shapes[list(chosen)].sum(axis=0) - every.mean(axis=0)
    expected = away @ np.linalg.solve(np.cov(every.T, bias=True), away)
    mine = np.bincount(pooled[list(chosen)], minlength=len(counts))
    assert quadratic_forms(np.array(counts), mine, (1, degree))[degree] == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["heavy tails", "counts", "mostly zero"])
@pytest.mark.parametrize("sizes", [(600, 250), (20_000, 300)])
def test_without_a_difference_p_values_are_as_rare_as_they_say(kind: str, sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(2)

    def draw(size: int) -> np.ndarray:
        zeros = random.random(size) < (0.97 if kind == "mostly zero" else 0.0)
        return np.where(zeros, 0.0, random.poisson(2.0, size) if kind == "counts" else random.standard_t(3, size))

    found = np.array([smooth_p_value(draw(sizes[0]), draw(sizes[1])) for _ in range(300)])
    assert np.mean(found <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 300)
    assert np.mean(found <= 0.01) <= 0.01 + 3 * np.sqrt(0.0099 / 300)


def test_a_change_of_spread_that_kolmogorov_smirnov_misses_is_seen() -> None:
    random = np.random.default_rng(3)
    before, after = random.normal(size=2000), random.normal(0, 1.2, size=1000)
    assert smooth_p_value(before, after) < 1e-4 < stats.ks_2samp(before, after).pvalue


def test_a_shift_of_the_middle_is_seen_nearly_as_often_as_by_the_wilcoxon_test_alone() -> None:
    """Degree 4 alone sees 65 % of these; a combination that paid for its parts in full would be no better."""
    random, seen = np.random.default_rng(7), np.zeros(3)
    for _ in range(300):
        before, after = random.normal(size=2000), random.normal(0.15, 1, size=1000)
        seen += [smooth_p_value(before, after, degrees) < 0.005 for degrees in ((1, 2, 4), (4,), (1,))]
    ours, four, wilcoxon = seen / 300
    assert four + 0.08 < ours
    assert wilcoxon - 0.08 < ours


def test_few_distinct_values_use_few_polynomials_and_one_says_nothing() -> None:
    two = smooth_p_value(np.repeat([0.0, 1.0], [60, 40]), np.repeat([0.0, 1.0], [30, 70]))
    assert two == pytest.approx(stats.kruskal([0] * 60 + [1] * 40, [0] * 30 + [1] * 70).pvalue)
    assert smooth_p_value(np.zeros(50), np.zeros(30)) == 1.0
    assert smooth_p_value(np.zeros(5), np.ones(3)) == 1.0  # too few rows for any p-value
    assert smooth_p_value(np.zeros(500), np.ones(300)) < 1e-50
