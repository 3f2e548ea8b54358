"""A verdict: what one gate said, about what number, against what limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Outcome(IntEnum):
    """Four outcomes in one order; the worst one speaks for many."""

    PASS = 0
    INCONCLUSIVE = 1
    ERROR = 2
    FAIL = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """One gate's answer.

    Attributes:
        gate: the gate's name, e.g. `mae` or `paired absolute_error`.
        observed: the number seen; None where nothing was measured.
        limit: the number it was held against; None where there is none.
        samples: how many independent samples (rows, blocks) stand behind it.
        reason: one plain sentence.
        lower, upper: the confidence bounds of `observed`, where the gate has them.
    """

    gate: str
    outcome: Outcome
    observed: float | None
    limit: float | None
    samples: int
    reason: str
    lower: float | None = None
    upper: float | None = None


def worst(verdicts: Iterable[Verdict]) -> Outcome:
    """Return the worst outcome; nothing measured is INCONCLUSIVE."""
    return max((verdict.outcome for verdict in verdicts), default=Outcome.INCONCLUSIVE)
