"""Columns have four kinds; a number of another width is a number."""

from __future__ import annotations

import doctest

import pytest

from data_checks import schema
from data_checks.schema import kind_of


def test_the_example_in_its_docstring_is_true() -> None:
    assert doctest.testmod(schema).failed == 0


@pytest.mark.parametrize(
    ("one", "other"), [("int64", "float64"), ("str", "object"), ("datetime64[us, UTC]", "datetime64[ns, UTC]"), ("Int64", "int32")]
)
def test_the_same_kind_in_another_width(one: str, other: str) -> None:
    assert kind_of(one) == kind_of(other)


@pytest.mark.parametrize(("one", "other"), [("int64", "str"), ("str", "float64"), ("bool", "int64"), ("datetime64[us]", "str")])
def test_another_kind(one: str, other: str) -> None:
    assert kind_of(one) != kind_of(other)
