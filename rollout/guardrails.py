"""Guardrails: live behaviour of the judged version that must not get worse, each as one verdict.

A guardrail fails where the evidence shows that its limit is broken, passes where the number seen keeps it, and says nothing in between.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.verdict import Outcome, Verdict
from rollout.blocks import finite_rows
from stats.confidence_sequence import Interval
from stats.psi import psi, psi_categories
from stats.share_interval import share_interval

Floats = NDArray[np.float64]
_SLOWEST = 0.01  # p99: the share of answers that is slower
LEAST_BATCHES = 100  # with fewer there is no 99th percentile
_LEAST_ROWS = 200  # with fewer the index is mostly noise: about 9 * (2 / rows) without any difference


def error_rate(version: str, failed: int, tried: int, limit: float, alpha: float) -> Verdict:
    """Judge how often a version could not answer, of how often it tried."""
    name = "error_rate"
    if tried == 0:
        return Verdict(name, Outcome.INCONCLUSIVE, None, limit, 0, f"version {version} has not answered anything yet")
    seen = share_interval(failed, tried, alpha)
    said = f"version {version} failed {failed} of {tried} times ({seen.mean:.2%}); at most {limit:.2%} is allowed"
    outcome = Outcome.FAIL if seen.lower > limit else Outcome.PASS if seen.mean <= limit else Outcome.INCONCLUSIVE
    return Verdict(name, outcome, seen.mean, limit, tried, said, seen.lower, seen.upper)


def non_finite(version: str, answers: Floats, limit: float, alpha: float) -> Verdict:
    """Judge how many of a version's answers are no finite number.

    Args:
        answers: (n,) predictions, or (n, k) probabilities, of every row it answered.
        limit: at 0 a single such answer is proof.
    """
    name, tried = "non_finite", len(answers)
    if tried == 0:
        return Verdict(name, Outcome.INCONCLUSIVE, None, limit, 0, f"version {version} has not answered anything yet")
    broken = tried - int(finite_rows(answers).sum())
    share = broken / tried
    seen = share_interval(broken, tried, alpha) if limit else Interval(share, share, share, tried)
    said = f"version {version} answered {broken} of {tried} rows with a number that is not finite; at most {limit:.2%} is allowed"
    outcome = Outcome.FAIL if seen.lower > limit else Outcome.PASS if share <= limit else Outcome.INCONCLUSIVE
    return Verdict(name, outcome, share, limit, tried, said, seen.lower, seen.upper)


def latency_p99_ratio(version: str, judged: Floats, against: Floats, limit: float, alpha: float) -> Verdict:
    """Judge the 99th percentile of latency per micro-batch against the other version's.

    It fails where clearly more than 1 % of the answers are slower than the other's 99th percentile times the limit.

    Args:
        judged, against: latencies of micro-batches in one unit, taken the same way.
    """
    name = "latency_p99_ratio"
    if min(len(judged), len(against)) < LEAST_BATCHES:
        said = f"{len(judged)} and {len(against)} micro-batches were timed; a 99th percentile needs {LEAST_BATCHES} of each"
        return Verdict(name, Outcome.INCONCLUSIVE, None, limit, len(judged), said)
    known = float(np.quantile(against, 1 - _SLOWEST))
    ratio = float(np.quantile(judged, 1 - _SLOWEST)) / max(known, 1e-9)
    slow = share_interval(int((judged > known * limit).sum()), len(judged), alpha)
    outcome = Outcome.FAIL if slow.lower > _SLOWEST else Outcome.PASS if ratio <= limit else Outcome.INCONCLUSIVE
    said = f"version {version}'s 99th percentile of latency is {ratio:.2f} times the other's; at most {limit:.2f} times is allowed"
    return Verdict(name, outcome, ratio, limit, len(judged), said)


def prediction_psi(version: str, judged: Floats, against: Floats, limit: float) -> Verdict:
    """Judge how far a version's answers to the same rows are distributed from the other's.

    Args:
        judged, against: (n,) predictions, or (n, k) probabilities of which the likeliest class is taken; what is not finite is left out.
    """
    name = "prediction_psi"
    both = finite_rows(judged) & finite_rows(against)
    rows = int(both.sum())
    if rows < _LEAST_ROWS:
        said = f"{rows} rows were answered by both versions; {_LEAST_ROWS} are needed"
        return Verdict(name, Outcome.INCONCLUSIVE, None, limit, rows, said)
    here, there = judged[both], against[both]
    index = psi(there, here) if here.ndim == 1 else psi_categories(there.argmax(axis=1), here.argmax(axis=1))
    said = f"version {version}'s answers to {rows} rows have a stability index of {index:.3g} to the other's; {limit:.3g} is allowed"
    return Verdict(name, Outcome.PASS if index <= limit else Outcome.FAIL, index, limit, rows, said)
