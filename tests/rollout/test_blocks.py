"""Losses become independent samples: one mean a complete block, without holes."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.errors import UsageError
from rollout.blocks import block_means, differences
from rollout.pairs import pair
from tests.rollout.frames import HOUR, REHEARSAL, START, answers, heard, shadow, times

DAY = timedelta(days=1)
NO_CLASSES = ((), ())


def rows(champion: list[object], candidate: list[object], labels: list[object]) -> pd.DataFrame:
    return pair(REHEARSAL, heard(answers(champion), labels, shadow(candidate)))


def test_a_difference_speaks_for_the_judged_version_when_it_is_positive() -> None:
    found = differences(rows([5.0, 1.0], [3.0, 4.0], [2.0, 2.0]), "regression", "absolute_error", NO_CLASSES)
    assert found.values.tolist() == [2.0, -1.0]


def test_labels_that_are_no_number_are_counted_and_left_out() -> None:
    found = differences(rows([1.0] * 3, [1.0] * 3, [2.0, "many", None]), "regression", "squared_error", NO_CLASSES)
    assert np.isnan(found.values).tolist() == [False, True, True]
    assert found.unknown == 1


def test_what_either_version_answered_without_a_finite_number_is_no_pair() -> None:
    found = differences(rows([1.0, 1.0, np.nan], [np.nan, 1.0, 1.0], [1.0] * 3), "regression", "absolute_error", NO_CLASSES)
    assert np.isnan(found.values).tolist() == [True, False, True]


def test_binary_labels_are_told_by_the_manifests_classes_in_their_order() -> None:
    for classes, label in ((("no", "yes"), "yes"), ((0, 1), 1), ((0, 1), "1"), ((False, True), 1)):
        found = differences(rows([0.5], [0.9], [label]), "binary", "brier", (classes, classes))
        assert found.values.tolist() == pytest.approx([0.25 - 0.01])


def test_binary_models_that_mean_different_things_are_not_compared() -> None:
    with pytest.raises(UsageError, match="cannot be compared"):
        differences(rows([0.5], [0.9], [1]), "binary", "brier", ((0, 1), (1, 0)))


def test_a_class_that_only_one_version_knows_has_no_chance_in_the_others_answer() -> None:
    frame = rows([[0.5, 0.5], [1.0, 0.0]], [[0.2, 0.0, 0.8], [0.0, 1.0, 0.0]], ["new", "a"])
    found = differences(frame, "multiclass", "brier", (("b", "a", "new"), ("a", "b")))
    # row 0: champion (a .5, b .5, new 0) loses .25 + .25 + 1; candidate loses .04 + .04; row 1: both say a for sure
    assert found.values.tolist() == pytest.approx([1.5 - 0.08, 0.0])
    unheard = differences(frame.assign(label=["other", "a"]), "multiclass", "log_loss", (("b", "a", "new"), ("a", "b")))
    assert (unheard.unknown, np.isnan(unheard.values).tolist()) == (1, [True, False])


def test_a_block_counts_only_when_every_label_of_it_is_due() -> None:
    values = np.arange(72, dtype=float)
    for hours, expected in ((23, []), (24, [11.5]), (47, [11.5]), (72, [11.5, 35.5, 59.5])):
        found = block_means(times(72), values, np.zeros(72, dtype=bool), DAY, START + hours * HOUR)
        assert found.means.tolist() == expected
        assert found.requests == 24 * len(expected)


def test_blocks_without_a_label_are_no_samples_and_missing_labels_leave_the_others() -> None:
    values = np.concatenate([np.full(24, 1.0), np.full(24, np.nan), np.full(24, 3.0)])
    values[::2] = np.nan
    found = block_means(times(72), values, np.zeros(72, dtype=bool), DAY, START + 3 * DAY)
    assert (found.means.tolist(), found.requests, found.waiting) == ([1.0, 3.0], 24, 0)


def test_there_is_no_hole_between_the_blocks_that_count() -> None:
    waits = np.zeros(96, dtype=bool)
    waits[30] = True  # one row of the second day
    found = block_means(times(96), np.ones(96), waits, DAY, START + 4 * DAY)
    assert (found.means.tolist(), found.waiting) == ([1.0], 3)
    unfinished = np.zeros(96, dtype=bool)
    unfinished[95] = True  # of a day that is not complete yet
    assert block_means(times(96), np.ones(96), unfinished, DAY, START + 3.5 * DAY).waiting == 0
