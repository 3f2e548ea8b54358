"""Labels are understood however they are written, and what is not understood is missing, never guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stats.truth import coded

MISSING = np.nan


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([0, 1, 1.0, "1", True, None], (0, 1), [0, 1, 1, 1, 1, MISSING]),
        (["no", "yes", "other"], ("no", "yes"), [0, 1, MISSING]),
        ([2, "3", 3.0, 9], (1, 2, 3), [1, 2, 2, MISSING]),
        ([False, True], (False, True), [0, 1]),
        ([12, "1.5", None, "x"], (), [12, 1.5, MISSING, MISSING]),
        ([], (0, 1), []),
    ],
)
def test_labels_become_numbers(labels: list[Any], classes: tuple[Any, ...], expected: list[float]) -> None:
    np.testing.assert_array_equal(coded(labels, classes), np.array(expected, dtype=np.float64))
