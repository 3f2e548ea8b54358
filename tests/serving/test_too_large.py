"""Which number a model refused for its size is found by trying; what it refuses for anything else is its own failure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from serving.columns import Columns
from serving.too_large import blame_number, too_large

TYPES: dict[str, Any] = {"a": "float", "b": "int", "kind": "str"}
FOREST = RandomForestRegressor(3, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scikit-learn's own, before it refuses a number


def table(a: list[float], b: list[Any] | None = None) -> Columns:
    return {"a": a, "b": [1] * len(a) if b is None else b, "kind": ["x"] * len(a)}


def forest(columns: Columns) -> bool:
    try:
        FOREST.predict(np.array([columns["a"], columns["b"]], dtype=float).T)
    except ValueError:
        return False
    return True


def weighted(columns: Columns) -> bool:
    return all(math.isfinite(0.75 * a + 0.75 * b) for a, b in zip(columns["a"], map(float, columns["b"]), strict=True))


def cubed(columns: Columns) -> bool:
    return all(abs(float(b)) < 3e38 ** (1 / 3) for b in columns["b"])


def sentinel(columns: Columns) -> bool:
    return 9_999_999 not in columns["b"]


def short_table(columns: Columns) -> bool:
    return all(abs(b) < 57 for b in columns["b"])


@pytest.mark.parametrize(
    ("answers", "columns", "expected"),
    [
        (forest, table([1e300]), ("a", 0)),
        (forest, table([0.5, -1e39, 1e300]), ("a", 1)),
        (forest, table([0.5] * 99 + [1e300]), ("a", 99)),
        (forest, table([math.nan, 3e38, 3.5e38]), ("a", 2)),
        (weighted, table([1e308, 1.0, 1.7e308], [1, 1, 10**18]), None),  # it is answered
        (lambda columns: weighted(columns | {"b": columns["a"]}), table([1.0, 1.5e308]), ("a", 1)),
        (lambda columns: weighted({name: [one * 1e290 for one in columns[name]] for name in "ab"}), table([9e17], [9 * 10**17]), None),
        (lambda columns: weighted({name: [one * 1.5e290 for one in columns[name]] for name in "ab"}), table([9e17], [10**18]), ("b", 0)),
        (cubed, table([1e300], [10**15]), ("b", 0)),
        (cubed, table([0.5], [1]), None),
        (sentinel, table([0.5], [9_999_999]), None),
        (short_table, table([0.5], [57]), None),
        (lambda _: False, table([1e300]), None),
        (lambda columns: forest(columns) and 0.25 not in columns["a"], table([1e300, 0.25]), None),
    ],
)
def test_the_first_number_that_is_too_large_is_named(answers: Callable[[Columns], bool], columns: Columns, expected: Any) -> None:
    assert blame_number(answers, columns, TYPES) == expected


def test_it_is_found_in_few_tries() -> None:
    asked: list[int] = []

    def counted(columns: Columns) -> bool:
        asked.append(len(columns["a"]))
        return forest(columns)

    assert blame_number(counted, table([1e30] * 4095 + [1e300]), TYPES) == ("a", 4095)
    assert sum(asked) < 2.01 * 4096


def test_the_refusal_names_the_column_the_row_and_the_number() -> None:
    assert str(too_large("a", 3, -1e300)) == "Column 'a', row 3: -1e+300 is too large a number for the model."
