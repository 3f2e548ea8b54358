"""What `understudy check` shows: one line a check, the failing ones first, with the limit, what was seen and examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.expectation import ExpectationResult, SuiteResult
from contracts.verdict import Outcome, Verdict
from data_checks.history.freshness import said
from data_checks.quarantine import severity_of

if TYPE_CHECKING:
    from rich.console import Console

    from contracts.checks import Checks

_WIDE = 100  # columns of a terminal from which the examples have a column too
_TABLE = 76  # columns of a terminal below which each check is a few lines instead of a row
_HEADS = ("column", "expectation", "severity", "outcome", "observed", "limit", "examples")
_ORDER = {"fail": 0, "error": 1, "inconclusive": 2, "pass": 3}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check as people read it.

    Attributes:
        column: the column or columns; `table` where it is about all.
        severity: row, batch or warn.
        outcome: pass, inconclusive, error (it could not run) or fail.
        examples: up to three values that failed.
        reason: one plain sentence.
    """

    column: str
    expectation: str
    severity: str
    outcome: str
    observed: str
    limit: str
    examples: tuple[str, ...]
    reason: str

    @property
    def refuses(self) -> bool:
        """Whether the answer is no: it fails, and is more than a warning."""
        return self.outcome in {"fail", "error"} and self.severity != "warn"

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of its row."""
        return (self.column, self.expectation, self.severity, self.outcome, self.observed, self.limit, "\n".join(self.examples))


def suite_lines(answer: SuiteResult) -> list[CheckLine]:
    """Return a suite's answers as lines."""
    return [_suite_line(one) for one in answer.results]


def _suite_line(one: ExpectationResult) -> CheckLine:
    outcome = "error" if one.error else "pass" if one.success else "fail"
    name = one.kind.removeprefix("expect_").removeprefix("column_values_to_").replace("_", " ")
    return CheckLine(one.subject, name, severity_of(one).value, outcome, one.observed, one.limit, one.examples, one.reason)


def history_lines(checks: Checks, verdicts: Iterable[Verdict]) -> list[CheckLine]:
    """Return the verdicts of the checks against the history as lines; a warning that holds no more is `fail` of severity `warn`."""
    found = []
    for one in verdicts:
        name, _, column = one.gate.removesuffix(")").partition("(")
        warned = one.outcome is Outcome.PASS and one.reason.startswith("Warning only")
        outcome = "fail" if warned else one.outcome.name.lower()
        numbers = (_number(name, one.observed), _number(name, one.limit))
        found.append(CheckLine(column or "table", name, getattr(checks, name).severity, outcome, *numbers, (), one.reason))
    return found


def _number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name in {"freshness", "gaps"}:
        from datetime import timedelta

        return said(timedelta(seconds=value))
    return f"{value:.1%}" if name == "distribution" else f"{value:.3g}"


def print_checks(rows: int, found: list[CheckLine], *, everything: bool, console: Console | None = None) -> None:
    """Print the lines: what fails first; what holds is counted, or listed too."""
    from rich.console import Console

    to = console or Console(highlight=False)
    ordered = sorted(found, key=lambda one: _ORDER[one.outcome])
    shown = [one for one in ordered if everything or one.outcome != "pass"]
    counts = {name: sum(1 for one in found if one.outcome == name) for name in _ORDER}
    counted = ", ".join(f"{counts[name]} {name}" for name in _ORDER if counts[name])
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

    heads = _HEADS if to.width >= _WIDE else _HEADS[:-1]
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for head in heads:
        made.add_column(head, overflow="fold", no_wrap=head in {"severity", "outcome"})
    for one in shown:
        style = {"fail": "bold red", "error": "bold red", "inconclusive": "yellow"}.get(one.outcome, "")
        made.add_row(*(Text(cell, style=style if head == "outcome" else "") for head, cell in zip(heads, one.cells, strict=False)))
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
        facts = zip(_HEADS[4:], (one.observed, one.limit, ", ".join(one.examples)), strict=True)
        for head, cell in (("severity", one.severity), *facts):
            if cell:
                to.print(f"  {head}: {cell}", markup=False)
        if not one.examples and one.outcome != "pass":
            to.print(f"  {one.reason}", markup=False)
