"""How a check against the history answers."""

from __future__ import annotations

from contracts.checks import HistoryCheck
from contracts.verdict import Outcome, Verdict


def judged(name: str, check: HistoryCheck, observed: float, limit: float, samples: int, reason: str, *, met: bool) -> Verdict:
    """Return the verdict of a check that could judge: a failure of severity `warn` is only said."""
    if met or check.severity == "batch":
        return Verdict(name, Outcome.PASS if met else Outcome.FAIL, observed, limit, samples, reason)
    return Verdict(name, Outcome.PASS, observed, limit, samples, f"Warning only: {reason}")


def not_judged(name: str, why: str) -> Verdict:
    """Return the verdict of a check that found too little to judge by; it refuses nothing."""
    return Verdict(name, Outcome.INCONCLUSIVE, None, None, 0, f"Not judged: {why}")
