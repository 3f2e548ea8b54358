"""Turns a suite's answers into verdicts, and says whether a batch may become a snapshot."""

from __future__ import annotations

from contracts.expectation import ExpectationResult, RowSeverity, SuiteResult
from contracts.verdict import Outcome, Verdict
from data_checks.quarantine import severity_of

ASIDE = "quarantined rows"  # the gate of the share of rows that are set aside


def check_verdicts(answer: SuiteResult, quarantined: int, max_quarantined: float) -> tuple[Verdict, ...]:
    """Return one verdict for each expectation that could refuse the batch or warn, and one for the share of rows set aside.

    A failed expectation of severity `batch`, and any of severity `row` or `batch` that could not run or names no rows, is FAIL.
    One of severity `warn` passes always; its reason says what was seen.
    """
    rows = answer.rows
    share = quarantined / rows if rows else 0.0
    outcome = Outcome.PASS if share <= max_quarantined else Outcome.FAIL
    reason = f"{quarantined} of {rows} rows ({share:.2%}) were set aside; at most {max_quarantined:.2%} may be."
    return (
        *(_verdict(result, rows) for result in answer.results),
        Verdict(ASIDE, outcome, share, max_quarantined, rows, reason),
    )


def _verdict(result: ExpectationResult, rows: int) -> Verdict:
    severity = severity_of(result)
    observed = None if result.unexpected is None else float(result.unexpected)
    if result.success or severity is RowSeverity.WARN:
        outcome = Outcome.PASS
    elif severity is RowSeverity.ROW and result.rows and result.error is None:
        outcome = Outcome.PASS  # its rows were set aside; their share is judged by itself
    else:
        outcome = Outcome.FAIL
    reason = result.reason if severity is not RowSeverity.WARN or result.success else f"Warning only: {result.reason}"
    return Verdict(result.name, outcome, observed, None, rows, reason)
