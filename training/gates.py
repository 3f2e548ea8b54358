"""Offline gates: limits a candidate must meet on held-out rows before any traffic."""

from __future__ import annotations

import math
from dataclasses import dataclass

from contracts.spec import OfflineGate
from contracts.verdict import Outcome, Verdict
from training.evaluate import HIGHER_IS_BETTER


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of candidate and champion on the same rows; `champion` is None for a first champion."""

    candidate: float
    champion: float | None
    rows: int


def judge(gate: OfflineGate, where: str, seen: Measured) -> list[Verdict]:
    """Hold one measured metric against every limit of one gate.

    Args:
        where: the slice, such as `workingday=1`, or an empty string for all rows.
    """
    name = f"{gate.metric}[{where}]" if where else gate.metric
    if where and seen.rows < gate.min_rows:
        return [Verdict(name, Outcome.PASS, seen.candidate, None, seen.rows, f"{name}: {seen.rows} rows are too few to judge a slice")]
    found = []
    if gate.max is not None:
        found.append(_verdict(name, seen.candidate, gate.max, seen.rows, higher_is_better=False))
    if gate.min is not None:
        found.append(_verdict(name, seen.candidate, gate.min, seen.rows, higher_is_better=True))
    if gate.max_regression is not None:
        found.append(_against_champion(gate, name, seen, gate.max_regression))
    return found


def _verdict(name: str, value: float, limit: float, rows: int, *, higher_is_better: bool) -> Verdict:
    met = value >= limit if higher_is_better else value <= limit
    bound = "least" if higher_is_better else "most"
    if math.isnan(value):
        return Verdict(name, Outcome.FAIL, None, limit, rows, f"{name} cannot be computed on these rows; it may be at {bound} {limit:.4g}")
    said = "is" if met else "is not"
    return Verdict(name, Outcome.PASS if met else Outcome.FAIL, value, limit, rows, f"{name} {value:.4g} {said} at {bound} {limit:.4g}")


def _against_champion(gate: OfflineGate, name: str, seen: Measured, allowed: float) -> Verdict:
    if seen.champion is None:
        return Verdict(
            name, Outcome.PASS, seen.candidate, None, seen.rows, f"{name} {seen.candidate:.4g}: there is no champion to compare with"
        )
    higher = gate.metric in HIGHER_IS_BETTER
    slack = allowed * abs(seen.champion)
    limit = seen.champion - slack if higher else seen.champion + slack
    verdict = _verdict(name, seen.candidate, limit, seen.rows, higher_is_better=higher)
    return Verdict(
        name, verdict.outcome, verdict.observed, limit, seen.rows, f"{verdict.reason} (champion {seen.champion:.4g}, {allowed:.0%} allowed)"
    )
