"""The isolation forest: the share it calls outliers is the one asked for, and rows far out are among them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from stats.outlier_forest import grow


def test_of_rows_like_those_it_was_grown_on_the_share_asked_for_are_outliers() -> None:
    random = np.random.default_rng(1)
    shares = [grow(random.normal(size=(4000, 5)), 0.02, seed).outliers(random.normal(size=(4000, 5))).mean() for seed in range(4)]
    assert np.mean(shares) == pytest.approx(0.02, abs=0.005)


def test_rows_far_out_are_outliers_and_scores_are_scikit_learns() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(2000, 3))
    rows[::50, 2] = np.nan
    found = grow(rows, 0.01, seed=3)
    assert found.outliers(np.array([[0.0, 0.0, 0.0], [8.0, -8.0, np.nan], [6.0, 6.0, 6.0]])).tolist() == [False, True, True]
    half = np.random.default_rng(3).permutation(len(rows))[::2]
    theirs = IsolationForest(random_state=3).fit(rows[half]).score_samples(rows)
    assert np.array_equal(found.outliers(rows), theirs < found.threshold)


def test_too_few_rows_are_an_error() -> None:
    with pytest.raises(ValueError, match="four rows"):
        grow(np.zeros((3, 2)), 0.1)
