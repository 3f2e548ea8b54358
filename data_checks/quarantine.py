"""Splits a batch into rows that are kept and rows that are set aside with their reasons."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from contracts.columns import REASONS
from contracts.expectation import ExpectationResult, RowSeverity, SuiteResult


@dataclass(frozen=True, slots=True)
class Split:
    """A batch in two parts; `quarantined` has the further column `quarantine_reasons`, joined by `; `."""

    kept: pd.DataFrame
    quarantined: pd.DataFrame


def severity_of(result: ExpectationResult) -> RowSeverity:
    """Return what the suite says, else `row` for an expectation that judges rows and `batch` for one that does not."""
    if result.severity is not None:
        return result.severity
    return RowSeverity.ROW if result.judges_rows else RowSeverity.BATCH


def split(frame: pd.DataFrame, answer: SuiteResult) -> Split:
    """Set aside every row that fails an expectation of severity `row`; a failing row may fail several."""
    reasons: dict[int, list[str]] = {}
    for result in answer.results:
        if not result.success and severity_of(result) is RowSeverity.ROW:
            for row in result.rows:
                reasons.setdefault(row, []).append(result.name)
    positions = sorted(reasons)
    aside = frame.iloc[positions].assign(**{REASONS: ["; ".join(reasons[row]) for row in positions]})
    kept = frame.drop(index=frame.index[positions]) if positions else frame
    return Split(kept.reset_index(drop=True), aside.reset_index(drop=True))
