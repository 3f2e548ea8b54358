"""Rows are set aside with every reason; verdicts say when a batch is refused."""

from __future__ import annotations

import pandas as pd

from contracts.columns import REASONS
from contracts.expectation import ExpectationResult, RowSeverity, SuiteResult
from contracts.verdict import Outcome
from data_checks.quarantine import severity_of, split
from data_checks.verdicts import check_verdicts

FRAME = pd.DataFrame({"a": [1, 2, 3, 4]}, index=[10, 11, 12, 13])


def result(
    rows: tuple[int, ...] = (), severity: RowSeverity | None = None, *, success: bool = False, judges: bool = True, error: str | None = None
) -> ExpectationResult:
    return ExpectationResult("expect_x", "a", severity, success, judges, rows, len(rows) if judges else None, "a fails.", error)


def test_rows_are_set_aside_with_every_reason_and_none_is_lost() -> None:
    parts = split(FRAME, SuiteResult(4, (result((1, 3)), result((3,)))))
    assert parts.kept["a"].tolist() == [1, 3]
    assert parts.quarantined["a"].tolist() == [2, 4]
    assert parts.quarantined[REASONS].tolist() == ["expect_x(a)", "expect_x(a); expect_x(a)"]


def test_a_tolerated_row_and_a_warning_stay_in_the_batch() -> None:
    answer = SuiteResult(4, (result((1,), success=True), result((2,), RowSeverity.WARN)))
    assert len(split(FRAME, answer).kept) == 4
    assert {verdict.outcome for verdict in check_verdicts(answer, 0, 0.0)} == {Outcome.PASS}


def test_an_expectation_that_judges_no_rows_is_about_the_batch() -> None:
    assert severity_of(result(judges=False)) is RowSeverity.BATCH
    assert check_verdicts(SuiteResult(4, (result(judges=False),)), 0, 1.0)[0].outcome is Outcome.FAIL


def test_an_expectation_that_could_not_run_refuses_the_batch() -> None:
    answer = SuiteResult(4, (result(severity=RowSeverity.ROW, judges=False, error="no such column"),))
    assert check_verdicts(answer, 0, 1.0)[0].outcome is Outcome.FAIL


def test_the_limit_itself_is_still_allowed() -> None:
    answer = SuiteResult(4, (result((1,)),))
    assert check_verdicts(answer, 1, 0.25)[-1].outcome is Outcome.PASS
    assert check_verdicts(answer, 1, 0.24)[-1].outcome is Outcome.FAIL
    assert check_verdicts(answer, 1, 0.24)[-1].reason == "1 of 4 rows (25.00%) were set aside; at most 24.00% may be."
