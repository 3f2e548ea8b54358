"""A batch whose columns changed their kind is named; a wider number or a further column is not."""

from __future__ import annotations

import doctest

import pytest

from data_checks import schema
from data_checks.schema import schema_conflicts


def test_the_example_in_its_docstring_is_true() -> None:
    assert doctest.testmod(schema).failed == 0


@pytest.mark.parametrize(
    ("before", "now"), [("int64", "float64"), ("str", "object"), ("datetime64[us, UTC]", "datetime64[ns, UTC]"), ("Int64", "int32")]
)
def test_the_same_kind_in_another_width_is_no_conflict(before: str, now: str) -> None:
    assert schema_conflicts({"a": before}, {"a": now, "b": "str"}) == []


@pytest.mark.parametrize(("before", "now"), [("int64", "str"), ("str", "float64"), ("bool", "int64"), ("datetime64[us]", "str")])
def test_another_kind_is_a_conflict(before: str, now: str) -> None:
    assert len(schema_conflicts({"a": before}, {"a": now})) == 1
