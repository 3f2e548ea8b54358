"""Proposes a suite from a sample: what held there, with room around it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from contracts.expectation import RowSeverity
from contracts.spec import PipelineSpec, TimeParts

_MAX_CATEGORIES = 50
_ROOM = 1.0  # numeric limits lie one span of the sample outside it
_DIGITS = 6


def propose_suite(frame: pd.DataFrame, spec: PipelineSpec) -> dict[str, Any]:
    """Return a suite in Great Expectations' JSON form that passes on this sample.

    Rows with an empty key, time, target or never-empty feature, or a number far outside what was seen, are set aside; a batch without the
    columns is refused; a category or a size of target never seen is only said.
    """
    columns = spec.columns
    times = columns.time.from_ if isinstance(columns.time, TimeParts) else [columns.time]
    needed = list(dict.fromkeys([*times, *columns.key, *columns.features.all, columns.target]))
    expectations = [
        _expectation("expect_table_row_count_to_be_between", RowSeverity.BATCH, min_value=1),
        _expectation("expect_table_columns_to_match_set", RowSeverity.BATCH, column_set=needed, exact_match=False),
    ]
    expectations += [
        _expectation("expect_column_values_to_not_be_null", RowSeverity.ROW, column=name) for name in needed if not frame[name].isna().any()
    ]
    for name in columns.features.numeric:
        expectations += _number(frame[name], name)
    for name in columns.features.categorical:
        expectations += _category(frame[name], name)
    expectations += _target(frame[columns.target], columns.target, spec.task)
    return {"name": spec.name, "expectations": expectations, "meta": {"proposed_from_rows": len(frame)}}


def _expectation(kind: str, severity: RowSeverity, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "meta": {"severity": str(severity)}}


def _limits(column: pd.Series) -> tuple[float, float] | None:
    """Return limits with room on both sides; what was never negative stays so. None where there is no finite number."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return None
    values = column.dropna().astype(float)
    if values.empty or not values.map(math.isfinite).all():
        return None
    least, most = float(values.min()), float(values.max())
    room = _ROOM * ((most - least) or max(abs(most), 1.0))
    low = 0.0 if least >= 0 else _outward(least - room, math.floor)
    return low, _outward(most + room, math.ceil)


def _outward(value: float, rounded: Any) -> float:
    if value == 0:
        return 0.0
    scale = 10.0 ** (_DIGITS - 1 - math.floor(math.log10(abs(value))))
    return float(f"{rounded(value * scale) / scale:.{_DIGITS}g}")


def _number(column: pd.Series, name: str) -> list[dict[str, Any]]:
    limits = _limits(column)
    if limits is None:
        return []
    return [_expectation("expect_column_values_to_be_between", RowSeverity.ROW, column=name, min_value=limits[0], max_value=limits[1])]


def _category(column: pd.Series, name: str) -> list[dict[str, Any]]:
    values = sorted(column.dropna().unique().tolist(), key=lambda value: (str(type(value)), value))
    if not values or len(values) > _MAX_CATEGORIES:
        return []
    return [_expectation("expect_column_values_to_be_in_set", RowSeverity.WARN, column=name, value_set=values)]


def _target(column: pd.Series, name: str, task: str) -> list[dict[str, Any]]:
    if task != "regression":
        values = sorted(column.dropna().unique().tolist(), key=str)
        return [_expectation("expect_column_values_to_be_in_set", RowSeverity.ROW, column=name, value_set=values)]
    limits = _limits(column)
    if limits is None:
        return []
    return [
        _expectation("expect_column_values_to_be_between", RowSeverity.ROW, column=name, min_value=limits[0]),
        _expectation("expect_column_values_to_be_between", RowSeverity.WARN, column=name, max_value=limits[1]),
    ]
