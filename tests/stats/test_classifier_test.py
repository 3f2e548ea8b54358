"""The classifier two-sample test: p-values as uniform as they promise, a changed correlation seen and named, blocks kept together."""

from __future__ import annotations

import numpy as np
import pytest

from stats.classifier_test import tell_apart
from stats.smooth_test import smooth_p_value

NUMERIC = np.zeros(4, dtype=bool)


def test_where_nothing_differs_alarms_come_as_often_as_the_level_says() -> None:
    random = np.random.default_rng(1)
    alarms = sum(
        tell_apart(random.normal(size=(300, 4)), random.normal(size=(300, 4)), NUMERIC, alpha=0.0).auc.p_value <= 0.05 for _ in range(50)
    )
    assert alarms <= 50 * 0.05 + 2 * np.sqrt(50 * 0.05 * 0.95)


def test_a_correlation_that_changed_is_seen_and_named_where_no_single_column_moved() -> None:
    random = np.random.default_rng(2)
    reference, window = random.normal(size=(6000, 4)), random.normal(size=(6000, 4))
    window[:, 2] = 0.6 * window[:, 0] + 0.8 * window[:, 2]
    assert min(smooth_p_value(reference[:, column], window[:, column]) for column in range(4)) > 0.01
    told = tell_apart(reference, window, NUMERIC)
    assert told.auc.p_value < 1e-6
    assert set(np.argsort(told.importance)[-2:]) == {0, 2}


def test_the_same_rows_and_seed_give_the_same_answer_and_another_seed_other_halves() -> None:
    random = np.random.default_rng(3)
    reference, window = random.normal(size=(400, 4)), random.normal(0.5, 1, size=(400, 4))
    first, again, other = (tell_apart(reference, window, NUMERIC, seed=seed) for seed in (7, 7, 8))
    assert (first.auc, first.importance.tolist()) == (again.auc, again.importance.tolist())
    assert first.auc != other.auc


def test_rows_of_one_day_are_held_out_together_so_that_knowing_the_day_again_is_not_called_drift() -> None:
    random = np.random.default_rng(4)
    days = np.repeat(np.arange(12), 60)
    weather = [np.column_stack([random.normal(size=(12, 4)).repeat(60, axis=0) + random.normal(0, 0.05, (720, 4))]) for _ in range(2)]
    assert tell_apart(*weather, NUMERIC).auc.value > 0.95, "row by row each day is known again"
    assert tell_apart(*weather, NUMERIC, (days, days)).auc.p_value > 0.05


def test_missing_values_and_very_many_categories_are_taken() -> None:
    random = np.random.default_rng(5)
    codes = random.integers(0, 400, size=(3000, 1)).astype(float)
    reference, window = np.hstack([codes, random.normal(size=(3000, 3))]), np.hstack([codes, random.normal(size=(3000, 3))])
    window[::3, 1] = np.nan
    told = tell_apart(reference, window, np.array([True, False, False, False]))
    assert told.auc.value > 0.6
    assert told.importance.argmax() == 1


def test_a_category_that_became_frequent_is_seen() -> None:
    random = np.random.default_rng(6)
    reference, window = (random.choice(5, (2000, 1), p=share).astype(float) for share in ([0.2] * 5, [0.05, 0.05, 0.05, 0.05, 0.8]))
    assert tell_apart(reference, window, np.array([True])).auc.value > 0.7


def test_too_few_blocks_to_halve_are_an_error() -> None:
    with pytest.raises(ValueError, match="four are needed"):
        tell_apart(np.zeros((9, 4)), np.ones((9, 4)), NUMERIC, (np.repeat([0, 1, 2], 3), np.arange(9)))
