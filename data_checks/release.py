"""Rows that were set aside are judged again, row by row."""

from __future__ import annotations

import pandas as pd

from contracts.columns import REASONS
from contracts.expectation import RowSeverity, SuiteResult
from data_checks.quarantine import Split, severity_of, split


def without_reasons(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as they came."""
    return rows.drop(columns=REASONS).reset_index(drop=True)


def reason_counts(rows: pd.DataFrame) -> dict[str, int]:
    """Return how many rows each reason set aside, most first; a row may have several."""
    found = rows[REASONS].str.split("; ").explode().value_counts()
    return {str(name): int(count) for name, count in found.items()}


def judge_again(rows: pd.DataFrame, answer: SuiteResult) -> Split:
    """Split rows by what the suite says of each; what it says of the whole is no matter here, for they are not a batch.

    Raises:
        ValueError: an expectation of rows could not be judged.
    """
    broken = [one.reason for one in answer.results if one.error is not None and severity_of(one) is RowSeverity.ROW]
    if broken:
        raise ValueError(" ".join(broken))
    return split(rows, answer)
