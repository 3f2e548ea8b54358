"""One check of a batch as people read it: in a terminal, in JSON, on the page of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HEADS = ("column", "expectation", "severity", "outcome", "observed", "limit", "examples")
ORDER = ("fail", "error", "inconclusive", "pass")


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
    def facts(self) -> tuple[str, ...]:
        """What a row of a table says, but for the examples, in the order of `HEADS`."""
        return (self.column, self.expectation, self.severity, self.outcome, self.observed, self.limit)


def worst_first(found: Iterable[CheckLine]) -> list[CheckLine]:
    """Return lines in the order in which people want them: what fails first."""
    return sorted(found, key=lambda one: ORDER.index(one.outcome))
