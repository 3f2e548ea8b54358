"""Expectations of each row, as SQL conditions."""

from __future__ import annotations

from adapters.columnar.columns import NUMBERS, Column
from adapters.columnar.plans import Given, RowPlan
from adapters.columnar.regex import re2_of

_PAIRS = {
    "both_values_are_missing": "NOT ({0} IS NULL AND {1} IS NULL)",
    "either_value_is_missing": "({0} IS NOT NULL AND {1} IS NOT NULL)",
    "neither": "TRUE",
}


def not_null(given: Given) -> RowPlan | None:
    """No value is missing."""
    return _of_all(given, "{} IS NULL")


def null(given: Given) -> RowPlan | None:
    """Every value is missing."""
    return _of_all(given, "{} IS NOT NULL")


def values_between(given: Given) -> RowPlan | None:
    """Every number or time lies between limits."""
    column = given.column()
    if column is None or column.kind not in (*NUMBERS, "time"):
        return None
    return _limited(given, column, column.sql, column)


def lengths_between(given: Given) -> RowPlan | None:
    """Every text has a length between limits."""
    column = given.column()
    if column is None or column.kind != "text":
        return None
    return _limited(given, column, f"length({column.sql})", None)


def length_equal(given: Given) -> RowPlan | None:
    """Every text has one length."""
    column, value = given.column(), given.kwargs.get("value")
    if column is None or column.kind != "text" or not isinstance(value, int) or isinstance(value, bool):
        return None
    return _value(given, column, f"length({column.sql}) = {value}")


def in_set(given: Given) -> RowPlan | None:
    """Every value is one of a set."""
    return _set(given, "{} IN ({})")


def not_in_set(given: Given) -> RowPlan | None:
    """No value is one of a set."""
    return _set(given, "{} NOT IN ({})")


def matches(given: Given) -> RowPlan | None:
    """Every text matches a regular expression somewhere."""
    return _regex(given, "regexp_matches({}, {})")


def matches_not(given: Given) -> RowPlan | None:
    """No text matches a regular expression anywhere."""
    return _regex(given, "NOT regexp_matches({}, {})")


def unique(given: Given) -> RowPlan | None:
    """No value comes twice."""
    column = given.column()
    if column is None:
        return None
    return RowPlan(given.asked, f"{column.sql} IS NOT NULL", "", (column,), mostly=given.mostly, keys=(column,))


def compound_unique(given: Given) -> RowPlan | None:
    """No combination of values comes twice; missing ones are equal."""
    names = [str(one) for one in given.kwargs.get("column_list", ())]
    columns = tuple(given.layout.columns[name] for name in names if name in given.layout.columns)
    if len(columns) < 2 or len(set(names)) != len(names) or len(columns) != len(names):
        return None
    missing = [f"{one.sql} IS NULL" for one in columns]
    domains = {
        "all_values_are_missing": f"NOT ({' AND '.join(missing)})",
        "any_value_is_missing": f"NOT ({' OR '.join(missing)})",
        "never": "TRUE",
    }
    domain = domains.get(given.kwargs.get("ignore_row_if", "all_values_are_missing"))
    if domain is None:
        return None
    return RowPlan(given.asked, domain, "", columns, "record", given.mostly, keys=columns)


def pair_greater(given: Given) -> RowPlan | None:
    """One column is greater than another, row by row."""
    or_equal = given.kwargs.get("or_equal", False)
    if not isinstance(or_equal, bool):
        return None
    return _pair(given, "{} >= {}" if or_equal else "{} > {}", ("int", "float", "time"))


def pair_equal(given: Given) -> RowPlan | None:
    """Two columns are equal, row by row."""
    return _pair(given, "{} = {}", ("int", "float", "time", "text"))


def _of_all(given: Given, failing: str) -> RowPlan | None:
    column = given.column()
    if column is None:
        return None
    return RowPlan(given.asked, "TRUE", failing.format(column.sql), (column,), mostly=given.mostly, of_all=True)


def _value(given: Given, column: Column, holds: str) -> RowPlan:
    domain = f"{column.sql} IS NOT NULL"
    return RowPlan(given.asked, domain, f"({domain} AND NOT ({holds}))", (column,), mostly=given.mostly)


def _limited(given: Given, column: Column, value: str, of: Column | None) -> RowPlan | None:
    """Of a column's values, or, where `of` is None, of whole numbers made from them."""
    least, most = given.kwargs.get("min_value"), given.kwargs.get("max_value")
    parts = []
    for limit, strict, sign in ((least, "strict_min", ">"), (most, "strict_max", "<")):
        if limit is None:
            continue
        told = of.literal(limit) if of is not None else str(limit) if isinstance(limit, int) and not isinstance(limit, bool) else None
        if told is None:
            return None
        left = f"CAST({value} AS DOUBLE)" if isinstance(limit, float) else value
        parts.append(f"{left} {sign}{'' if given.kwargs.get(strict) else '='} {told}")
    if not parts or (least is not None and most is not None and least > most):
        return None
    return _value(given, column, " AND ".join(parts))


def _set(given: Given, holds: str) -> RowPlan | None:
    column, members = given.column(), given.kwargs.get("value_set")
    if column is None or column.kind == "time" or not isinstance(members, list) or not members:
        return None
    told = [None if column.kind == "int" and isinstance(one, float) else column.literal(one) for one in members]
    if None in told:
        return None
    return _value(given, column, holds.format(column.sql, ", ".join(map(str, told))))


def _regex(given: Given, holds: str) -> RowPlan | None:
    column, regex = given.column(), given.kwargs.get("regex")
    if column is None or column.kind != "text" or not isinstance(regex, str):
        return None
    told = re2_of(regex)
    literal = None if told is None else column.literal(told)
    return None if literal is None else _value(given, column, holds.format(column.sql, literal))


def _pair(given: Given, holds: str, kinds: tuple[str, ...]) -> RowPlan | None:
    one, other = given.column("column_A"), given.column("column_B")
    if one is None or other is None or one == other or one.kind not in kinds:
        return None
    alike = (one.kind in NUMBERS and other.kind in NUMBERS) or (one.kind, one.unit, one.zone) == (other.kind, other.unit, other.zone)
    domain = _PAIRS.get(given.kwargs.get("ignore_row_if", "both_values_are_missing"))
    if not alike or domain is None:
        return None
    where = domain.format(one.sql, other.sql)
    failing = f"({where} AND NOT coalesce({holds.format(one.sql, other.sql)}, FALSE))"
    return RowPlan(given.asked, where, failing, (one, other), "pair", given.mostly)
