"""Offline gates: limits a candidate must meet on held-out rows before any traffic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.spec import OfflineGate
from contracts.verdict import Outcome, Verdict
from training.compare import Evaluation, Measures, Metrics
from training.evaluate import HIGHER_IS_BETTER


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of candidate and champion on the same rows.

    Attributes:
        champion: None for a first champion; NaN where there is one and it cannot be measured here.
    """

    candidate: float
    champion: float | None
    rows: int


def judge_all(gates: Iterable[OfflineGate], evaluation: Evaluation) -> tuple[Verdict, ...]:
    """Hold an evaluation against every gate of a spec; a gate with `slice` is judged in every value of that column."""
    found: list[Verdict] = []
    for gate in gates:
        if gate.slice is None:
            found += judge(gate, "", _measured(gate, evaluation.overall))
        else:
            for value, measures in evaluation.slices[gate.slice].items():
                found += judge(gate, f"{gate.slice}={value}", _measured(gate, measures))
    return tuple(found)


def judge(gate: OfflineGate, where: str, seen: Measured) -> list[Verdict]:
    """Hold one measured metric against every limit of one gate.

    Args:
        gate: metric and limits.
        where: the slice, such as `workingday=1`, or an empty string for all rows.
        seen: what was measured.
    """
    name = f"{gate.metric}[{where}]" if where else gate.metric
    if where and seen.rows < gate.min_rows:
        return [Verdict(name, Outcome.PASS, _shown(seen), None, seen.rows, f"{name}: {seen.rows} rows are too few to judge a slice")]
    found = []
    if gate.max is not None:
        found.append(_verdict(name, seen.candidate, gate.max, seen.rows, higher_is_better=False))
    if gate.min is not None:
        found.append(_verdict(name, seen.candidate, gate.min, seen.rows, higher_is_better=True))
    if gate.max_regression is not None:
        found.append(_against_champion(gate, name, seen, gate.max_regression))
    return found


def _measured(gate: OfflineGate, measures: Measures) -> Measured:
    champion = None if measures.champion is None else _number(measures.champion, gate.metric)
    return Measured(_number(measures.candidate, gate.metric), champion, measures.rows)


def _number(metrics: Metrics, name: str) -> float:
    value = metrics[name]
    return math.nan if value is None else value


def _shown(seen: Measured) -> float | None:
    return None if math.isnan(seen.candidate) else seen.candidate


def _verdict(name: str, value: float, limit: float, rows: int, *, higher_is_better: bool) -> Verdict:
    met = value >= limit if higher_is_better else value <= limit
    bound = "least" if higher_is_better else "most"
    if math.isnan(value):
        return Verdict(name, Outcome.FAIL, None, limit, rows, f"{name} cannot be computed on these rows; it may be at {bound} {limit:.4g}")
    said = "is" if met else "is not"
    return Verdict(name, Outcome.PASS if met else Outcome.FAIL, value, limit, rows, f"{name} {value:.4g} {said} at {bound} {limit:.4g}")


def _against_champion(gate: OfflineGate, name: str, seen: Measured, allowed: float) -> Verdict:
    if seen.champion is None:
        reason = f"{name} {seen.candidate:.4g}: there is no champion to compare with"
        return Verdict(name, Outcome.PASS, _shown(seen), None, seen.rows, reason)
    if math.isnan(seen.champion):
        reason = f"{name} {seen.candidate:.4g}: the champion cannot be measured on these rows, so nothing is compared"
        return Verdict(name, Outcome.INCONCLUSIVE, _shown(seen), None, seen.rows, reason)
    higher = gate.metric in HIGHER_IS_BETTER
    slack = allowed * abs(seen.champion)
    limit = seen.champion - slack if higher else seen.champion + slack
    verdict = _verdict(name, seen.candidate, limit, seen.rows, higher_is_better=higher)
    return Verdict(
        name, verdict.outcome, verdict.observed, limit, seen.rows, f"{verdict.reason} (champion {seen.champion:.4g}, {allowed:.0%} allowed)"
    )
