"""Rows that were read again: equal ones are known however they are written, others are late or corrections."""

from __future__ import annotations

import doctest

import pandas as pd

from data_checks import late_rows as module
from data_checks.late_rows import fingerprints, keys_of, late_rows

KNOWN = pd.DataFrame({"id": [1, 2, 3], "x": [1.0, 2.0, None], "name": ["a", None, "c"], "ok": [True, False, True]})


def test_the_example_in_its_docstring_is_true() -> None:
    assert doctest.testmod(module).failed == 0


def test_equal_rows_are_known_whatever_their_kinds_and_order() -> None:
    read = KNOWN.astype({"id": "float64", "ok": "object"}).iloc[::-1][["name", "ok", "x", "id"]]
    found = late_rows(KNOWN, read, ["id"], ())
    assert (len(found.rows), found.known, found.corrected) == (0, 3, frozenset())


def test_a_value_that_came_went_or_changed_is_a_correction() -> None:
    for change in ({"x": [1.0, 2.0, 3.0]}, {"x": [1.0, None, None]}, {"name": ["a", "b", "c"]}, {"ok": [True, True, True]}):
        found = late_rows(KNOWN, KNOWN.assign(**change), ["id"], ())
        assert (len(found.rows), found.known) == (1, 2)
        assert list(found.corrected) == keys_of(found.rows, ["id"])


def test_large_whole_numbers_are_told_apart() -> None:
    known = pd.DataFrame({"id": [1], "n": [2**60]})
    assert len(late_rows(known, known.assign(n=2**60 + 1), ["id"], ()).rows) == 1


def test_an_unknown_key_is_late_and_one_set_aside_before_is_known() -> None:
    read = pd.DataFrame({"id": [9, 10], "x": [1.0, 1.0], "name": ["n", "n"], "ok": [True, True]})
    found = late_rows(KNOWN, read, ["id"], set(fingerprints(read.tail(1))))
    assert (found.rows["id"].tolist(), found.known, found.corrected) == ([9], 1, frozenset())
    assert len(late_rows(KNOWN.iloc[:0], read, ["id"], ()).rows) == 2


def test_a_column_that_does_not_come_any_more_corrects_nothing_and_is_kept_in_a_correction() -> None:
    gone = KNOWN.assign(name=None)
    assert late_rows(KNOWN, gone, ["id"], (), {"name"}).known == 3
    assert late_rows(KNOWN, gone.assign(x=[9.0, 2.0, None]), ["id"], (), {"name"}).rows["name"].tolist() == ["a"]
