"""What `understudy check` shows: one line a check, the failing ones first, with the limit, what was seen and examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from contracts.check_line import HEADS, ORDER, CheckLine, worst_first

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 100  # columns of a terminal from which the examples have a column too
_TABLE = 76  # columns of a terminal below which each check is a few lines instead of a row


def print_checks(rows: int, found: Sequence[CheckLine], *, everything: bool, console: Console | None = None) -> None:
    """Print the lines: what fails first; what holds is counted, or listed too."""
    from rich.console import Console

    to = console or Console(highlight=False)
    ordered = worst_first(found)
    shown = [one for one in ordered if everything or one.outcome != "pass"]
    counts = {name: sum(1 for one in found if one.outcome == name) for name in ORDER}
    counted = ", ".join(f"{counts[name]} {name}" for name in ORDER if counts[name])
    to.print(f"{rows} rows, {len(found)} checks: {counted or 'nothing to check'}.", markup=False, soft_wrap=True)
    if shown and to.width >= _TABLE:
        _table(to, shown)
        _below(to, shown)
    elif shown:
        _blocks(to, shown)


def _table(to: Console, shown: list[CheckLine]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heads = HEADS if to.width >= _WIDE else HEADS[:-1]
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for head in heads:
        made.add_column(head, overflow="fold", no_wrap=head in {"severity", "outcome"})
    for one in shown:
        style = {"fail": "bold red", "error": "bold red", "inconclusive": "yellow"}.get(one.outcome, "")
        made.add_row(
            *(
                Text(cell, style=style if head == "outcome" else "")
                for head, cell in zip(heads, (*one.facts, "\n".join(one.examples)), strict=False)
            )
        )
    to.print(made)


def _below(to: Console, shown: list[CheckLine]) -> None:
    """Print what the table has no room for: examples where it is narrow, and the sentence of what has none."""
    for one in shown:
        if one.outcome != "pass" and not one.examples:
            to.print(f"  {one.reason}", markup=False, soft_wrap=True)
        elif one.examples and to.width < _WIDE:
            to.print(f"  {one.column} {one.expectation}, such as {', '.join(one.examples)}", markup=False, soft_wrap=True)


def _blocks(to: Console, shown: list[CheckLine]) -> None:
    """Print each check on lines of its own: a terminal this narrow has no room for seven columns."""
    for one in shown:
        to.print(f"{one.outcome}  {one.column}: {one.expectation}", markup=False)
        facts = zip(HEADS[4:], (one.observed, one.limit, ", ".join(one.examples)), strict=True)
        for head, cell in (("severity", one.severity), *facts):
            if cell:
                to.print(f"  {head}: {cell}", markup=False)
        if not one.examples and one.outcome != "pass":
            to.print(f"  {one.reason}", markup=False)
