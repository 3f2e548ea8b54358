"""One streaming pass decides all plans; a second one, where something fails, finds the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

from adapters.columnar.columns import quoted, text
from adapters.columnar.known import plan_of
from adapters.columnar.plans import EXAMPLES, Plan, RowPlan, Undecided
from adapters.columnar.table import ROW, Table
from adapters.suite_answers import Answer, Asked, reason_of


@dataclass(frozen=True, slots=True)
class Failing:
    """The rows that fail an expectation.

    Attributes:
        count: how many. rows: their positions, where these are wanted.
        first: of the first ones, position and the values that are shown.
    """

    count: int
    rows: Sequence[int]
    first: Sequence[tuple[int, tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Told:
    """What others found in a table, which they taught their sums and sets.

    Attributes:
        positions: of the expectations that are told by it. failing: what fails of them, likewise by position.
    """

    positions: frozenset[int] = frozenset()
    failing: Mapping[int, Failing] = field(default_factory=dict)


Elsewhere = Callable[[Sequence[Plan], Table], Told]


def nowhere(_plans: Sequence[Plan], _table: Table) -> Told:
    """Nobody looks at parts of the table."""
    return Told()


def ask_columnar(
    asked: Iterable[Asked], table: Table, *, positions: bool = True, elsewhere: Elsewhere = nowhere
) -> tuple[list[Answer], list[Asked]]:
    """Return the answers to what can be decided here, and the expectations that are left to Great Expectations.

    Args:
        positions: whether the positions of failing rows are wanted; examples are always.
        elsewhere: looks at the table first; what it did not learn is asked here.
    """
    plans = [(one, plan_of(one, table.layout)) for one in asked]
    known = [plan for _, plan in plans if plan is not None]
    left = [one for one, plan in plans if plan is None]
    told = elsewhere(known, table)
    table.learn(["count(*)", *(sum_ for plan in known for sum_ in plan.sums)])
    here = [plan for plan in known if isinstance(plan, RowPlan) and plan.asked.position not in told.failing]
    failing = {**told.failing, **failing_of(here, table, positions=positions)}
    answers = []
    for plan in known:
        try:
            answers.append(_answer(plan, table, failing[plan.asked.position]) if isinstance(plan, RowPlan) else plan.answer(table))
        except Undecided:
            left.append(plan.asked)
    return [replace(one, engine="cluster") if one.asked.position in told.positions else one for one in answers], left


def failing_of(plans: Sequence[RowPlan], table: Table, *, positions: bool) -> dict[int, Failing]:
    """Return the rows that fail, by position of the expectation; the table has learned the plans' sums."""
    ready = [_counted(plan, table, number) if plan.keys else plan for number, plan in enumerate(plans)]
    where = _positions(ready, table) if positions else {}
    found = {}
    for plan in ready:
        count, at = plan.failed(table), plan.asked.position
        found[at] = Failing(count, where.get(at, ()), _first(plan, table) if count else ())
    return found


def failing_rows(plans_of: Iterable[Asked], positions: Mapping[str, Sequence[int]], table: Table, reasons: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows that fail, whole and in order, a batch at a time.

    Args:
        plans_of: expectations of rows that were answered here.
        positions: of rows that fail for other reasons, by reason.
        reasons: name of the further column that says what each row fails, joined by `; `.
    """
    plans = [plan for one in plans_of if isinstance(plan := plan_of(one, table.layout), RowPlan)]
    table.learn([sum_ for plan in plans for sum_ in plan.sums])
    failing = {
        reason_of(plan.asked): _counted(plan, table, 1000 + number).failing if plan.keys else plan.failing
        for number, plan in enumerate(plans)
    }
    for number, (reason, those) in enumerate(positions.items()):
        table.database.register(f"told_{number}", pa.table({"p": pa.array(those, pa.int64())}))
        failing[reason] = f"{ROW} IN (SELECT p FROM told_{number})"  # noqa: S608  # a name of ours
    if not failing:
        return
    said = ", ".join(f"CASE WHEN {condition} THEN {text(reason)} END" for reason, condition in failing.items())
    stored = ", ".join(map(quoted, table.layout.names))
    sql = f"SELECT {stored}, concat_ws('; ', {said}) AS {quoted(reasons)} FROM rows WHERE {' OR '.join(failing.values())} ORDER BY {ROW}"  # noqa: S608
    yield from table.database.sql(sql).to_arrow_reader(100_000)


def _counted(plan: RowPlan, table: Table, number: int) -> RowPlan:
    """Keep the keys that come several times, and return the plan with the condition that a row has one of them."""
    name = f"twice_{number}"
    keys = ", ".join(f"{one.sql} AS k{place}" for place, one in enumerate(plan.keys))
    twice = f"SELECT {keys}, count(*) AS n FROM rows WHERE {plan.domain} GROUP BY ALL HAVING count(*) > 1"  # noqa: S608  # names of ours
    table.database.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {twice}")
    same = " AND ".join(f"k{place} IS NOT DISTINCT FROM rows.{one.sql}" for place, one in enumerate(plan.keys))
    found = replace(plan, failing=f"({plan.domain} AND EXISTS (SELECT 1 FROM {name} WHERE {same}))")  # noqa: S608  # names of ours
    table.known[found.failed_sum] = table.ask(f"SELECT coalesce(sum(n), 0) FROM {name}")[0][0]  # noqa: S608  # a name of ours
    return found


def _positions(plans: Sequence[RowPlan], table: Table) -> dict[int, list[int]]:
    """Return the positions of failing rows by the position of their expectation."""
    failing = [plan for plan in plans if plan.failed(table)]
    found: dict[int, list[int]] = {plan.asked.position: [] for plan in plans}
    if not failing:
        return found
    marks = ", ".join(f"{plan.failing} AS f{number}" for number, plan in enumerate(failing))
    some = " OR ".join(f"f{number}" for number in range(len(failing)))
    sql = f"SELECT * FROM (SELECT {ROW} AS position, {marks} FROM rows) WHERE {some} ORDER BY position"  # noqa: S608  # ours
    for batch in table.database.sql(sql).to_arrow_reader(100_000):
        at = batch.column(0).to_numpy()
        for number, plan in enumerate(failing):
            marked = np.asarray(batch.column(number + 1).to_numpy(zero_copy_only=False), dtype=bool)
            found[plan.asked.position].extend(at[marked].tolist())
    return found


def _answer(plan: RowPlan, table: Table, failing: Failing) -> Answer:
    judged, failed, rows = plan.judged(table), failing.count, table.rows
    counted = rows if plan.of_all else judged
    success = counted == 0 or (counted - failed) / counted >= plan.mostly
    at = list(failing.rows)
    result: dict[str, Any] = {
        "element_count": rows,
        "unexpected_count": failed,
        "unexpected_percent": 100 * failed / counted if counted else None,
        "partial_unexpected_list": _examples(plan, table, failing),
        "partial_unexpected_index_list": at[:EXAMPLES],
        "unexpected_index_list": at,
    }
    if not plan.of_all:
        share = {
            "unexpected_percent_total": 100 * failed / rows if rows else None,
            "unexpected_percent_nonmissing": result["unexpected_percent"],
        }
        result |= {"missing_count": rows - judged, "missing_percent": 100 * (rows - judged) / rows if rows else None, **share}
    return Answer(plan.asked, success, result, "columnar")


def _first(plan: RowPlan, table: Table) -> list[tuple[int, tuple[Any, ...]]]:
    values = ", ".join(one.sql for one in plan.shown)
    found = table.ask(f"SELECT {ROW}, {values} FROM rows WHERE {plan.failing} ORDER BY {ROW} LIMIT {EXAMPLES}")  # noqa: S608  # ours
    return [(int(at), tuple(those)) for at, *those in found]


def _examples(plan: RowPlan, table: Table, failing: Failing) -> list[Any]:
    """Return the first failing values, as Great Expectations lists them."""
    holes = [table.filled(one.sql) < table.rows for one in plan.shown]
    shown = [
        tuple(one.shown(value, holes=hole) for one, value, hole in zip(plan.shown, row, holes, strict=True)) for _, row in failing.first
    ]
    if plan.form == "record":
        return [dict(zip([one.name for one in plan.shown], row, strict=True)) for row in shown]
    return shown if plan.form == "pair" else [row[0] for row in shown]
