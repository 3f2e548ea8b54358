"""Columns of a request: values as they came become values of the type the model was fitted on, or one sentence that says which did not."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from contracts.errors import UsageError
from contracts.package import ColumnType

Columns = dict[str, list[Any]]
"""A table as one list a column, all of one length: floats with NaN for missing, ints, texts with None for missing, bools."""

_SAID: dict[ColumnType, str] = {"float": "a float", "int": "an int", "str": "a str", "bool": "a bool"}
_TEXT_SHOWN = 60
_WIDEST_INT = 2**63


class BadRequest(UsageError):
    """What the caller sent cannot be read; the message names the column and the row."""


def shown(value: Any) -> str:
    """Return a value as an error may show it, shortened where a caller sent much."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}…"


def read_columns(given: Mapping[str, list[Any]], types: Mapping[str, ColumnType], required: Collection[str] = ()) -> Columns:
    """Return the model's columns in its order, every value of its type; columns it does not know are left out.

    Args:
        given: values as JSON has them, by column.
        types: the model's columns.
        required: columns in which a missing value cannot be answered.

    Raises:
        BadRequest: names the column, and the row (0 is the first) where one row is at fault.
    """
    columns: Columns = {}
    for name, kind in types.items():
        if name not in given:
            raise BadRequest(f"Column '{name}' is missing.", f"The model takes: {', '.join(types)}.")
        columns[name] = read_column(name, kind, given[name], missing_allowed=name not in required)
    first = next(iter(columns))
    rows = len(columns[first])
    for name, values in columns.items():
        if len(values) != rows:
            raise BadRequest(f"Column '{name}' has {len(values)} rows but column '{first}' has {rows}.")
    if not rows:
        raise BadRequest(f"Column '{first}' has no rows.")
    return columns


def read_column(name: str, kind: ColumnType, values: list[Any], *, missing_allowed: bool = True) -> list[Any]:
    """Return one column's values in the model's type; a null is NaN in a number and None in a text.

    Raises:
        BadRequest: names the column and the row.
    """
    kinds = set(map(type, values))
    if kinds == {float} and kind == "float" and (missing_allowed or not any(map(math.isnan, values))):
        return values
    if (kinds == {str} and kind == "str") or (kinds == {bool} and kind == "bool"):
        return values
    return [_value(name, row, kind, value, missing_allowed) for row, value in enumerate(values)]


def _value(name: str, row: int, kind: ColumnType, value: Any, missing_allowed: bool) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        if kind == "bool" or not missing_allowed:
            raise BadRequest(f"Column '{name}', row {row} is missing, and the model takes no missing value there.")
        return None if kind == "str" else math.nan
    if kind == "float" and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise BadRequest(f"Column '{name}', row {row}: the number is too large for a float.") from None
    if kind == "int" and not isinstance(value, bool):
        if isinstance(value, int) and -_WIDEST_INT <= value < _WIDEST_INT:
            return value
        if isinstance(value, float) and value.is_integer() and -_WIDEST_INT <= value < _WIDEST_INT:
            return int(value)
    if (kind == "str" and isinstance(value, str)) or (kind == "bool" and isinstance(value, bool)):
        return value
    raise BadRequest(f"Column '{name}', row {row}: {shown(value)} is not {_SAID[kind]}.")
