"""Expectations of the table as a whole: its columns and how many rows it has."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from adapters.columnar.plans import Given, ValuePlan, between
from adapters.columnar.table import Table


def exists(given: Given) -> ValuePlan | None:
    """A column is there, at a place where one is named."""
    name, index = given.kwargs.get("column"), given.kwargs.get("column_index")
    if not isinstance(name, str) or not isinstance(index, int | None) or isinstance(index, bool):
        return None

    def judge(table: Table) -> tuple[bool, dict[str, Any]]:
        names = table.layout.names
        if not index:
            return name in names, {}
        return -len(names) <= index < len(names) and names[index] == name, {}

    return ValuePlan(given.asked, [], judge)


def column_set(given: Given) -> ValuePlan | None:
    """The columns are those of a set, or, with `exact_match: false`, at least those."""
    wanted, exact = given.kwargs.get("column_set"), given.kwargs.get("exact_match", True)
    if not isinstance(wanted, list) or not isinstance(exact, bool):
        return None

    def judge(table: Table) -> tuple[bool, dict[str, Any]]:
        found = set(table.layout.names)
        differ = {"unexpected": sorted(found - set(wanted)), "missing": sorted(set(wanted) - found)}
        mismatched = {name: those for name, those in differ.items() if those}
        result: dict[str, Any] = {"observed_value": sorted(found)}
        if mismatched:
            result["details"] = {"mismatched": mismatched}
        return not differ["missing"] and not (exact and differ["unexpected"]), result

    return ValuePlan(given.asked, [], judge)


def ordered_columns(given: Given) -> ValuePlan | None:
    """The columns are these, in this order."""
    wanted = given.kwargs.get("column_list")
    if not isinstance(wanted, list):
        return None

    def judge(table: Table) -> tuple[bool, dict[str, Any]]:
        found = list(table.layout.names)
        result: dict[str, Any] = {"observed_value": found}
        pairs = enumerate(zip_longest(wanted, found))
        wrong = [{"Expected Column Position": place, "Expected": one, "Found": other} for place, (one, other) in pairs if one != other]
        return found == wanted, result | ({"details": {"mismatched": wrong}} if wrong else {})

    return ValuePlan(given.asked, [], judge)


def counted(what: Callable[[Table], int]) -> Callable[[Given], ValuePlan | None]:
    """Return the builder for a number of rows or columns between limits."""

    def build(given: Given) -> ValuePlan | None:
        limits = [given.kwargs[name] for name in ("min_value", "max_value") if name in given.kwargs]
        if not limits or not all(isinstance(one, int) and not isinstance(one, bool) for one in limits):
            return None
        return ValuePlan(given.asked, ["count(*)"], lambda table: (between(what(table), given.kwargs), {"observed_value": what(table)}))

    return build


def exactly(what: Callable[[Table], int]) -> Callable[[Given], ValuePlan | None]:
    """Return the builder for an exact number of rows or columns."""

    def build(given: Given) -> ValuePlan | None:
        value = given.kwargs.get("value")
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return ValuePlan(given.asked, ["count(*)"], lambda table: (what(table) == value, {"observed_value": what(table)}))

    return build


def row_count(table: Table) -> int:
    """Return the number of rows."""
    return table.rows


def column_count(table: Table) -> int:
    """Return the number of columns."""
    return len(table.layout.names)
