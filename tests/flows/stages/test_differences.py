"""Each kind of difference between a fit and the one before is said in one sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flows.stages.differences import Predictions, changed_lines, compare_predictions, file_differences, some


def test_each_kind_of_difference_between_packages_is_said() -> None:
    assert file_differences({"a": b"1", "b": b"2"}, {"a": b"1", "b": b"2"}) == []
    assert file_differences({"a": b"12"}, {"a": b"13"}) == ["Package file a differs first at byte 1 (2 bytes registered, 2 refitted)."]
    assert file_differences({"a": b"12"}, {"a": b"1"}) == ["Package file a differs first at byte 1 (2 bytes registered, 1 refitted)."]
    assert file_differences({}, {"a": b"1"}) == ["Package file a is only in the refit."]
    assert file_differences({"a": b"1"}, {}) == ["Package file a is only in the registered package."]


def test_what_decides_a_fit_is_named_before_the_rest_and_the_rest_is_counted() -> None:
    then = "".join(f"p{number:02}==1\n" for number in range(20)) + "scikit-learn==1.9.1\npython==3.11.2 (CPython)\n"
    changed = changed_lines(then, then.replace("==1\n", "==2\n").replace("1.9.1", "1.9.0").replace("3.11.2", "3.12.0"))
    assert some(changed).startswith("python 3.11.2 (CPython) → 3.12.0 (CPython); scikit-learn 1.9.1 → 1.9.0; p00 1 → 2; ")
    assert some(changed).endswith("; and 14 more")
    assert changed_lines("a==1\nb==1\n", "b==1\nc==1\n") == ["a 1, gone", "c 1, not there before"]


def test_answers_are_compared_bit_by_bit_on_the_rows_that_were_recorded() -> None:
    recorded = pd.DataFrame({"row": [1, 2, 3], "answer_0": [1.0, np.nan, 3.0]})
    assert compare_predictions(recorded, np.array([9.0, 1.0, np.nan, 3.0])) == Predictions(3, 0, 0.0, None)
    found = compare_predictions(recorded, np.array([9.0, 1.0, np.nan, np.nextafter(3.0, 4.0)]))
    assert (found.differing, found.row) == (1, 3)
    assert str(found).startswith("1 of 3 recorded predictions differ, by up to 4.44e-16; the first is held-out row 3")
    two = pd.DataFrame({"row": [0, 1], "answer_0": [0.5, 0.5], "answer_1": [0.5, 0.5]})
    assert compare_predictions(two, np.array([[0.5, 0.5], [0.25, 0.75]])) == Predictions(2, 1, 0.25, 1)
    assert str(Predictions(2, 0, 0.0, None)) == "All 2 recorded predictions are the same, bit by bit"
