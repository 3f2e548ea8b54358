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
_TINY = 1e-290  # below it a number of six digits cannot be computed
_SEEN = 0.95  # share of a batch's rows that must hold a category known before
_SETTLED = 4  # a set of categories to which the last quarter of the sample brought more is not complete
_NEW = 0.025
_ONCE = 0.99  # share of rows that must be there once: a few may be corrections
_TWICE = 0.25  # share of repeated rows beyond which repetition is in the nature of the data


def propose_suite(frame: pd.DataFrame, spec: PipelineSpec) -> dict[str, Any]:
    """Return a suite in Great Expectations' JSON form that passes on this sample.

    Set aside are rows with an empty key, time, target or never-empty feature, or a number far outside what was seen. Refused is a batch
    without the columns, with many more empty cells, with many rows of categories never seen, or with rows that are there twice. A single
    new category, a single repeated row or a larger target is only said.

    Args:
        frame: the sample, at best in order of time: categories that still came up in its last quarter may well go on coming.
        spec: what its columns mean.
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
    expectations += [_gaps(frame[name], name) for name in needed if frame[name].isna().any() and not frame[name].isna().all()]
    expectations += _once(frame, columns.key, times, needed)
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
    if abs(value) < _TINY:
        return _TINY if rounded is math.ceil else -_TINY
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
    known = _expectation("expect_column_values_to_be_in_set", RowSeverity.WARN, column=name, value_set=values)
    if not _settled(column.dropna()):
        return [known]
    return [known, _expectation("expect_column_values_to_be_in_set", RowSeverity.BATCH, column=name, value_set=values, mostly=_SEEN)]


def _settled(column: pd.Series) -> bool:
    """Say whether the first three quarters knew what the last one held; seasons and years of a short sample do not."""
    split = len(column) - len(column) // _SETTLED
    return not len(column) // _SETTLED or float((~column.iloc[split:].isin(column.iloc[:split].unique())).mean()) <= _NEW


def _gaps(column: pd.Series, name: str) -> dict[str, Any]:
    """A column with empty cells may have twice as many, and two in a hundred besides."""
    mostly = max(0.0, 1 - 2 * float(column.isna().mean()) - 0.02)
    return _expectation("expect_column_values_to_not_be_null", RowSeverity.BATCH, column=name, mostly=round(mostly, 4))


def _once(frame: pd.DataFrame, key: list[str], times: list[str], needed: list[str]) -> list[dict[str, Any]]:
    """Whatever names a row in the sample is there once: the key, the time; where neither does, all columns together."""
    names = [
        columns for columns in (key, times) if columns and not frame.duplicated(columns).any() and not frame[columns].isna().any().any()
    ]
    if names:
        return [one for columns in names for one in (_unique(columns, RowSeverity.WARN), _unique(columns, RowSeverity.BATCH, mostly=_ONCE))]
    repeated = float(frame.duplicated(needed, keep=False).mean())
    if key or repeated > _TWICE:
        return []
    return [_unique(needed, RowSeverity.BATCH, mostly=round(1 - 2 * repeated - (1 - _ONCE), 4))]


def _unique(columns: list[str], severity: RowSeverity, **limits: float) -> dict[str, Any]:
    if len(columns) == 1:
        return _expectation("expect_column_values_to_be_unique", severity, column=columns[0], **limits)
    return _expectation("expect_compound_columns_to_be_unique", severity, column_list=columns, **limits)


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
