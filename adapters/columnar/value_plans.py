"""Expectations of one value of a column: its extremes, moments, order statistics, numbers of distinct values, its type."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.core.dtypes import dtypes

from adapters.columnar.columns import NUMBERS, Column, Kind
from adapters.columnar.plans import Given, Undecided, ValuePlan, between
from adapters.columnar.table import Distinct, Table

_SELECTED = 20_000_000  # values; beyond it they are sorted, which may go to disk
_LISTED = 20
_NATIVE: dict[str, type] = {"bool": bool, "int": int, "long": int, "float": float, "bytes": bytes, "complex": complex, "str": str}
_NATIVE |= {"string_types": str, "list": list, "dict": dict, "none": type(None)}


def extreme(function: str) -> Callable[[Given], ValuePlan | None]:
    """Return the builder for `min` or `max`."""

    def build(given: Given) -> ValuePlan | None:
        column = _limited(given, (*NUMBERS, "time"))
        if column is None:
            return None
        sql = f"{function}({column.sql})"

        def judge(table: Table) -> tuple[bool, dict[str, Any]]:
            value = table.known[sql]
            return between(value, given.kwargs, column), {"observed_value": None if value is None else column.shown(value, holes=False)}

        return ValuePlan(given.asked, [sql], judge)

    return build


def moment(function: Literal["avg", "sum", "stddev_samp"]) -> Callable[[Given], ValuePlan | None]:
    """Return the builder for a mean, a sum or a deviation; infinite numbers are left to pandas."""

    def build(given: Given) -> ValuePlan | None:
        column = _limited(given, NUMBERS)
        if column is None:
            return None
        finite = column.sql if column.kind == "int" else f"CASE WHEN isfinite({column.sql}) THEN {column.sql} END"
        sql, counts = f"{'sum' if function == 'avg' else function}({finite})", [f"count({column.sql})", f"count({finite})"]

        def value(table: Table) -> Any:
            found, count = table.known[sql], table.known[counts[0]]
            if count != table.known[counts[1]]:
                raise Undecided
            if function == "avg":
                return found / count if count else None
            return 0 if function == "sum" and found is None else found

        return _judged(given, [sql, *counts], value, whole=function == "stddev_samp")

    return build


def median(given: Given) -> ValuePlan | None:
    """The median lies between limits."""
    column = _limited(given, NUMBERS)
    if column is None:
        return None

    def value(table: Table) -> float | None:
        count = table.filled(column.sql)
        if count == 0:
            return None
        low, high = _ordered(table, column, [(count - 1) // 2, count // 2])
        return (float(low) + float(high)) / 2

    return _judged(given, [f"count({column.sql})"], value, whole=True)


def quantiles(given: Given) -> ValuePlan | None:
    """Quantiles lie in their ranges; without interpolation, as is Great Expectations' default."""
    column, asked = given.column(), given.kwargs.get("quantile_ranges")
    if column is None or column.kind not in NUMBERS or given.kwargs.get("allow_relative_error", False) is not False:
        return None
    if not isinstance(asked, dict) or not asked.get("quantiles") or len(asked["quantiles"]) != len(asked.get("value_ranges", ())):
        return None
    ranges = [tuple(one) for one in asked["value_ranges"]]

    def judge(table: Table) -> tuple[bool, dict[str, Any]]:
        count = table.filled(column.sql)
        places = np.around((count - 1) * np.asarray(asked["quantiles"], dtype=float)).astype(int).tolist() if count else []
        found = [column.shown(one, holes=False) for one in _ordered(table, column, places)] if places else [math.nan for _ in ranges]
        met = [_in_range(value, *limits) for value, limits in zip(found, ranges, strict=True)]
        observed = {"quantiles": asked["quantiles"], "values": found}
        return all(met), {"observed_value": observed, "details": {"success_details": met}}

    return ValuePlan(given.asked, [f"count({column.sql})"], judge, whole=True)


def unique_count(given: Given) -> ValuePlan | None:
    """So many values are distinct."""
    column = _limited(given, None)
    if column is None:
        return None
    values = Distinct(column.sql)
    return _judged(given, [], lambda table: table.distinct(values)[0], (values,))


def unique_share(given: Given) -> ValuePlan | None:
    """So large a share of what is not missing is distinct."""
    column = _limited(given, None)
    if column is None:
        return None
    values = Distinct(column.sql)

    def value(table: Table) -> float:
        count = table.filled(column.sql)
        return table.distinct(values)[0] / count if count else 0

    return _judged(given, [f"count({column.sql})"], value, (values,))


def filled_share(given: Given) -> ValuePlan | None:
    """So large a share is not missing."""
    column = _limited(given, None)
    if column is None:
        return None
    return _judged(given, [f"count({column.sql})"], lambda table: table.filled(column.sql) / table.rows if table.rows else 0)


def distinct_set(*, may_lack: bool, may_add: bool) -> Callable[[Given], ValuePlan | None]:
    """Return the builder for distinct values that are in a set, contain it, or equal it."""

    def build(given: Given) -> ValuePlan | None:
        column, members = given.column(), given.kwargs.get("value_set")
        if column is None or column.kind not in ("int", "text") or not isinstance(members, list) or not members:
            return None
        told = [None if isinstance(one, float) else column.literal(one) for one in members]
        if None in told:
            return None
        these = ", ".join(map(str, told))
        others = Distinct(column.sql, f"{column.sql} NOT IN ({these})", _LISTED)
        wanted = Distinct(column.sql, f"{column.sql} IN ({these})", None)

        def judge(table: Table) -> tuple[bool, dict[str, Any]]:
            result: dict[str, Any] = {"observed_value": None}
            if not may_add:
                count, listed = table.distinct(others)
                result |= {"unexpected_count": count, "partial_unexpected_list": listed}
            if not may_lack:
                lacking = sorted(set(members) - set(table.distinct(wanted)[1]))
                result |= {"missing_count": len(lacking), "partial_missing_list": lacking[:_LISTED]}
            return not result.get("unexpected_count") and not result.get("missing_count"), result

        return ValuePlan(given.asked, [], judge, (*(() if may_add else (others,)), *(() if may_lack else (wanted,))))

    return build


def of_type(given: Given) -> ValuePlan | None:
    """The column has a type of pandas'; a column of objects is judged value by value, which is left to pandas."""
    column, named = given.column(), given.kwargs.get("type_")
    if column is None or not isinstance(named, str) or column.dtype == np.dtype(object):
        return None

    def judge(table: Table) -> tuple[bool, dict[str, Any]]:
        dtype = column.dtype
        if table.filled(column.sql) < table.rows and column.kind in ("int", "bool"):
            if column.kind == "bool":
                raise Undecided
            dtype = np.dtype("float64")  # pandas has no other whole numbers with holes
        return dtype.type in _types(named), {"observed_value": dtype.type.__name__}

    return ValuePlan(given.asked, [f"count({column.sql})"], judge)


def _types(name: str) -> list[type]:
    """Return what a type's name may mean, as Great Expectations reads it."""
    try:
        found = [np.dtype(name).type]
    except TypeError:
        places = (pd, dtypes)
        found = [kind for place in places if isinstance(kind := getattr(place, name, None), type)]
    native = _NATIVE.get(name.lower())
    return [*found, *([] if native is None else [native])]


def _limited(given: Given, kinds: tuple[Kind, ...] | None) -> Column | None:
    """Return the column where it is of one of these kinds and the limits are of its kind, or are numbers."""
    column = given.column()
    limits = [one for one in (given.kwargs.get("min_value"), given.kwargs.get("max_value")) if one is not None]
    if column is None or not limits or (kinds is not None and column.kind not in kinds):
        return None
    if kinds is not None and column.kind == "time":
        return column if all(column.literal(one) is not None for one in limits) else None
    return column if all(isinstance(one, int | float) and not isinstance(one, bool) for one in limits) else None


def _judged(
    given: Given, sums: list[str], value: Callable[[Table], Any], distinct: tuple[Distinct, ...] = (), *, whole: bool = False
) -> ValuePlan:
    kwargs: Mapping[str, Any] = given.kwargs

    def judge(table: Table) -> tuple[bool, dict[str, Any]]:
        found = value(table)
        return between(found, kwargs), {"observed_value": found}

    return ValuePlan(given.asked, sums, judge, distinct, whole)


def _ordered(table: Table, column: Column, places: list[int]) -> list[Any]:
    """Return the values at these places (0 is the least) of a column in order."""
    count = table.filled(column.sql)
    if count <= _SELECTED:
        shares = ", ".join(f"{(place + 0.5) / count!r}" for place in places)  # the middle of a place, so that no rounding leads to another
        return list(table.ask(f"SELECT quantile_disc({column.sql}, [{shares}]) FROM rows")[0][0])  # noqa: S608  # ours
    ordered = f"SELECT {column.sql} AS v, row_number() OVER (ORDER BY {column.sql}) - 1 AS p FROM rows WHERE {column.sql} IS NOT NULL"  # noqa: S608  # ours
    wanted = ", ".join(map(str, places))
    found = {place: value for value, place in table.ask(f"SELECT v, p FROM ({ordered}) WHERE p IN ({wanted})")}  # noqa: S608  # ours
    return [found[place] for place in places]


def _in_range(value: float, low: float | None, high: float | None) -> bool:
    """Great Expectations takes a quantile that nearly meets a limit."""
    least, most = -math.inf if low is None else low, math.inf if high is None else high
    if math.isnan(value):
        return False
    near = [math.isfinite(one) and abs(value - one) <= 1e-8 + 1e-4 * abs(one) for one in (least, most)]
    return any(near) or least <= value <= most
