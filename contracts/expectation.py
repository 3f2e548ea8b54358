"""What a suite said about a batch, expectation by expectation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

EngineName = Literal["columnar", "cluster", "great_expectations"]  # cluster: the columnar engine, on the workers of one


class RowSeverity(StrEnum):
    """What a failed expectation does: sets its rows aside, refuses the batch, or only says so."""

    ROW = "row"
    BATCH = "batch"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """One expectation's answer.

    Attributes:
        kind: Great Expectations' name for it, e.g. `expect_column_values_to_be_between`.
        subject: the column or columns it is about; `table` where it is about all.
        severity: from the expectation's meta; None where the suite does not say.
        rows: positions (0 is the first row) of the rows that failed it; empty where it does not judge rows.
        unexpected: how many cells or rows failed, or None.
        reason: one plain sentence.
        error: why it could not run, or None.
        limit: what was asked, such as `min_value=0, max_value=1`; empty where nothing but the kind says it.
        observed: what was seen, in a few words; empty where nothing was.
        examples: up to three of the values that failed, each with its row (0 is the first) where the engine lists rows.
        engine: which one answered.
    """

    kind: str
    subject: str
    severity: RowSeverity | None
    success: bool
    judges_rows: bool
    rows: tuple[int, ...]
    unexpected: int | None
    reason: str
    error: str | None = None
    limit: str = ""
    observed: str = ""
    examples: tuple[str, ...] = ()
    engine: EngineName = "great_expectations"

    @property
    def name(self) -> str:
        """What verdicts and the rows that it set aside call it."""
        return f"{self.kind}({self.subject})"


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """All answers of one run of a suite; `docs` is the page that shows them, where one was asked for."""

    rows: int
    results: tuple[ExpectationResult, ...]
    docs: str | None = None
