"""A suite's answers and the verdicts about a whole batch, as lines that people read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from contracts.check_line import CheckLine
from contracts.checks import Checks
from contracts.expectation import ExpectationResult, SuiteResult
from contracts.verdict import Outcome, Verdict
from data_checks.history.freshness import said
from data_checks.quarantine import severity_of
from data_checks.verdicts import ASIDE


def suite_lines(answer: SuiteResult) -> list[CheckLine]:
    """Return a suite's answers as lines."""
    return [_suite_line(one) for one in answer.results]


def _suite_line(one: ExpectationResult) -> CheckLine:
    outcome = "error" if one.error else "pass" if one.success else "fail"
    name = one.kind.removeprefix("expect_").removeprefix("column_values_to_").replace("_", " ")
    return CheckLine(one.subject, name, severity_of(one).value, outcome, one.observed, one.limit, one.examples, one.reason)


def batch_lines(checks: Checks, answer: SuiteResult | None, verdicts: Iterable[Verdict]) -> tuple[CheckLine, ...]:
    """Return all that was said of a batch: the suite's answers, with limits and examples, then the verdicts that are not the suite's.

    Args:
        answer: the suite's, which some of the verdicts are about; None where there is no suite.
    """
    suite = set() if answer is None else {one.name for one in answer.results}
    about_all = history_lines(checks, (one for one in verdicts if one.gate not in suite))
    return (*([] if answer is None else suite_lines(answer)), *about_all)


def history_lines(checks: Checks, verdicts: Iterable[Verdict]) -> list[CheckLine]:
    """Return the verdicts about a batch as a whole as lines; a warning that holds no more is `fail` of severity `warn`."""
    found = []
    for one in verdicts:
        name, _, column = one.gate.removesuffix(")").partition("(")
        warned = one.outcome is Outcome.PASS and one.reason.startswith("Warning only")
        outcome = "fail" if warned else one.outcome.name.lower()
        numbers = (_number(name, one.observed), _number(name, one.limit))
        found.append(
            CheckLine(column or "table", name, getattr(getattr(checks, name, None), "severity", "batch"), outcome, *numbers, (), one.reason)
        )
    return found


def _number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name in {"freshness", "gaps"}:
        return said(timedelta(seconds=value))
    return f"{value:.1%}" if name in {"distribution", ASIDE} else f"{value:.3g}"
