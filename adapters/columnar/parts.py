"""A table looked at in parts, each by somebody else: what the parts say is put together to what the whole table says.

Counts, sums, extremes and failing rows are known of parts of the rows. What asks for equal rows (is a value unique, how many are
distinct) is known of parts of the keys: of all rows, those whose keys have one remainder of their hash, so that equal rows meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.columnar.engine import Failing, failing_of
from adapters.columnar.known import plan_of
from adapters.columnar.plans import EXAMPLES, Plan, RowPlan
from adapters.columnar.table import Distinct, Share, Table, open_parquet
from adapters.suite_answers import Asked
from adapters.table_stream import cut, row_groups


@dataclass(frozen=True, slots=True)
class Look:
    """One part, and what is asked of it.

    Attributes:
        paths: the files; they are under the same path where it is looked at.
        asked: expectations of rows. sums: aggregates. distinct: sets of values.
        positions: whether the positions of failing rows are wanted.
    """

    paths: tuple[Path, ...]
    share: Share
    asked: tuple[Asked, ...] = ()
    sums: tuple[str, ...] = ()
    distinct: tuple[Distinct, ...] = ()
    positions: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in one part; `failing` is by position of the expectation."""

    rows: int
    sums: Mapping[str, Any]
    failing: Mapping[int, Failing]
    distinct: Mapping[Distinct, tuple[int, list[Any]]]


def look(part: Look) -> Seen:
    """Look at one part, in one thread."""
    with open_parquet(part.paths, part.share, threads=1) as table:
        table.learn(["count(*)", *part.sums])
        plans = [plan for one in part.asked if isinstance(plan := plan_of(one, table.layout), RowPlan)]
        failing = failing_of(plans, table, positions=part.positions)
        return Seen(table.rows, {one: table.known[one] for one in part.sums}, failing, {one: table.distinct(one) for one in part.distinct})


def in_parts(plan: Plan) -> bool:
    """Return whether a plan asks something of the rows that parts of them can tell."""
    return isinstance(plan, RowPlan) or (not plan.whole and bool(plan.sums or plan.distinct))


def looks(plans: Sequence[Plan], paths: Sequence[Path], rows: int, shares: int, *, positions: bool) -> Iterator[list[Look]]:
    """Yield the looks that together tell the plans: one list over parts of the rows, then one for each key that is asked for.

    Args:
        plans: those that `in_parts`.
        rows: of a part; a row group is never split. shares: parts of the keys.
    """
    sums = tuple(dict.fromkeys(one for plan in plans for one in plan.sums))
    single = tuple(plan.asked for plan in plans if isinstance(plan, RowPlan) and not plan.keys)
    yield [Look((path,), share, single, sums, positions=positions) for path, share in _spans(paths, rows)]
    keyed: dict[tuple[str, ...], tuple[list[Asked], list[Distinct]]] = {}
    for plan in plans:
        if isinstance(plan, RowPlan):
            if plan.keys:
                keyed.setdefault(tuple(one.sql for one in plan.keys), ([], []))[0].append(plan.asked)
            continue
        for one in plan.distinct:
            keyed.setdefault((one.of,), ([], []))[1].append(one)
    for keys, (asked, distinct) in keyed.items():
        theirs = [Share(keys=f"hash({', '.join(keys)}) % {shares} = {number}") for number in range(shares)]
        yield [Look(tuple(paths), one, tuple(asked), (), tuple(dict.fromkeys(distinct)), positions) for one in theirs]


def teach(table: Table, seen: Sequence[Seen]) -> dict[int, Failing]:
    """Tell a table what was seen in all parts of one list of looks, in their order, and return what fails."""
    table.known["count(*)"] = sum(one.rows for one in seen)
    table.known |= {name: _added(name, [one.sums[name] for one in seen]) for name in seen[0].sums}
    table.sets |= {asked: _joined(asked, [one.distinct[asked] for one in seen]) for asked in seen[0].distinct}
    return {at: _all_failing([one.failing[at] for one in seen]) for at in seen[0].failing}


def _spans(paths: Sequence[Path], rows: int) -> Iterator[tuple[Path, Share]]:
    """Cut each file into parts of whole row groups; no row at all is one empty part."""
    first, some = 0, False
    for path in paths:
        sizes = row_groups(path)
        for start, groups in cut(sizes, rows):
            stop, some = start + sum(sizes[one] for one in groups), True
            yield path, Share(first, f"file_row_number >= {start} AND file_row_number < {stop}")
        first += sum(sizes)
    if not some:
        yield paths[0], Share()


_RULES: Mapping[str, Callable[[Iterable[Any]], Any]] = {"count": sum, "sum": sum, "min": min, "max": max}


def _added(name: str, values: Sequence[Any]) -> Any:
    """Put an aggregate's parts together; one of no value at all is missing."""
    there = [one for one in values if one is not None]
    return _RULES[name.partition("(")[0]](there) if there else None


def _joined(asked: Distinct, parts: Sequence[tuple[int, list[Any]]]) -> tuple[int, list[Any]]:
    return sum(count for count, _ in parts), sorted(one for _, listed in parts for one in listed)[: asked.listed]


def _all_failing(parts: Sequence[Failing]) -> Failing:
    rows = sorted(at for one in parts for at in one.rows)
    first = sorted((example for one in parts for example in one.first), key=lambda one: one[0])[:EXAMPLES]
    return Failing(sum(one.count for one in parts), rows, first)
