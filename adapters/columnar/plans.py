"""How the columnar engine decides an expectation: what it wants to know of the table, and what it makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from adapters.columnar.columns import Column, Layout
from adapters.columnar.table import Distinct, Table
from adapters.suite_answers import Answer, Asked, plain

EXAMPLES = 20  # as many as Great Expectations lists in part


class Undecided(Exception):  # no error: it only says that the other engine is to be asked
    """The table holds something, such as an infinite number, that this engine is not certain to treat as pandas does."""


@dataclass(frozen=True, slots=True)
class RowPlan:
    """An expectation of each row, or of each group of equal rows.

    Attributes:
        domain: SQL: the rows that are judged.
        failing: SQL, never NULL: the rows that fail; empty where equal rows are still to be looked for.
        shown: columns of an example, and how it is told.
        of_all: judged is every row, and missing values are not counted apart.
        keys: rows of the domain that are equal in these fail.
    """

    asked: Asked
    domain: str
    failing: str
    shown: tuple[Column, ...]
    form: Literal["value", "pair", "record"] = "value"
    mostly: float = 1.0
    of_all: bool = False
    keys: tuple[Column, ...] = ()

    @property
    def sums(self) -> list[str]:
        """The aggregates that it wants to know, and whether its columns have holes."""
        holes = [f"count({one.sql})" for one in self.shown]
        return [*holes, self._judged, *([self.failed_sum] if self.failing else [])]

    def judged(self, table: Table) -> int:
        """Return how many rows are judged."""
        return int(table.known[self._judged])

    def failed(self, table: Table) -> int:
        """Return how many of them fail."""
        return int(table.known[self.failed_sum])

    @property
    def _judged(self) -> str:
        return "count(*)" if self.domain == "TRUE" else f"count(*) FILTER (WHERE {self.domain})"

    @property
    def failed_sum(self) -> str:
        """The aggregate that counts them."""
        return f"count(*) FILTER (WHERE {self.failing})"


@dataclass(frozen=True, slots=True)
class ValuePlan:
    """An expectation of one number, or one answer, of the table.

    Attributes:
        sums: the aggregates that it wants to know.
        judge: success and Great Expectations' result; may ask the table more. Raises Undecided.
        distinct: the sets of values that it wants to know.
        whole: it needs the table as a whole: what it wants to know of parts cannot be put together.
    """

    asked: Asked
    sums: list[str]
    judge: Callable[[Table], tuple[bool, dict[str, Any]]]
    distinct: tuple[Distinct, ...] = ()
    whole: bool = False

    def answer(self, table: Table) -> Answer:
        """Return what the table says to it."""
        success, result = self.judge(table)
        return Answer(self.asked, success, plain(result), "columnar")


Plan = RowPlan | ValuePlan


@dataclass(frozen=True, slots=True)
class Given:
    """An expectation's own words, without those that say nothing."""

    asked: Asked
    layout: Layout
    kwargs: Mapping[str, Any]

    def column(self, name: str = "column") -> Column | None:
        """Return the column that a keyword names; None where its kind is not known, or it is not there."""
        return self.layout.columns.get(str(self.kwargs.get(name)))

    @property
    def mostly(self) -> float:
        """The share that must hold."""
        return float(self.kwargs.get("mostly", 1.0))


def between(value: Any, kwargs: Mapping[str, Any], column: Column | None = None) -> bool:
    """Return whether a value lies in min_value and max_value, as Great Expectations judges it; a missing one does not."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return False
    low, high = (None if one is None or column is None or column.kind != "time" else column.literal(one) for one in _limits(kwargs))
    least, most = (int(one) if one is not None else limit for one, limit in zip((low, high), _limits(kwargs), strict=True))
    above = least is None or (value > least if kwargs.get("strict_min") else value >= least)
    below = most is None or (value < most if kwargs.get("strict_max") else value <= most)
    return bool(above and below)


def _limits(kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    return kwargs.get("min_value"), kwargs.get("max_value")
