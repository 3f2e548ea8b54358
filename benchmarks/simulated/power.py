"""How many requests it takes to promote what is better, and what becomes of what is worse: paired in shadow, or by a split of users.

Both are judged by the product's paired interval, at the same alpha, after the same blocks of the same real losses. They differ in what a
block says: the mean of the paired differences, or the difference of the two arms. For the latter each request, answered by one version,
counts by one over the chance of that, around the champion's mean loss: the least variance that a split of requests can have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.frame import Bench, Row
from benchmarks.simulated.coverage import Share, most
from benchmarks.simulated.looks import Floats, first, looks, rules
from benchmarks.simulated.pools import Pair, Pool

IMPROVEMENTS = (0.01, 0.02, 0.05, 0.10)
SHARES = (0.5, 0.1)
REQUESTS = 10_000
_AT_ONCE = 4_000_000  # requests
_ERRORS = 4.0  # about how many standard errors a promotion takes
_ROOM = 2.0  # how much further than that a rollout is followed
_BAR = 5.0


@dataclass(frozen=True, slots=True)
class Ends:
    """After how many requests each rollout was decided; infinite where it never was."""

    passed: Floats
    failed: Floats


def shadow(pair: Pair, rollouts: int, requests: int, random: np.random.Generator) -> Ends:
    """Simulate paired rollouts; both versions answer every request."""
    means = (pair.champion - pair.candidate).mean(axis=1)
    size = pair.champion.shape[1]
    drawn = random.integers(0, len(means), (rollouts, max(requests // size, 1)))
    return _ends(means[drawn], size)


def split(pair: Pair, share: float, rollouts: int, requests: int, random: np.random.Generator) -> Ends:
    """Simulate A/B rollouts; each request is a unit of its own, answered by one version."""
    size = pair.champion.shape[1]
    blocks = max(requests // size, 1)
    once = max(_AT_ONCE // (blocks * size), 1)
    means = [_arms_apart(pair, share, (min(once, rollouts - begin), blocks), random) for begin in range(0, rollouts, once)]
    return _ends(np.concatenate(means), size)


def _arms_apart(pair: Pair, share: float, shape: tuple[int, int], random: np.random.Generator) -> Floats:
    """Return for each block the difference of the arms: by how much less the candidate's users lost."""
    size, middle = pair.champion.shape[1], pair.champion.mean()
    drawn = random.integers(0, len(pair.champion), shape)
    treated = random.random((*shape, size), dtype=np.float32) < share
    weighed = np.where(treated, (middle - pair.candidate[drawn]) / share, (pair.champion[drawn] - middle) / (1 - share))
    return np.asarray(weighed.mean(axis=2))


def _ends(means: Floats, size: int) -> Ends:
    """What comes first ends a rollout."""
    found = looks(means, rules())
    passed, failed = first(found.passed) * size, first(found.failed) * size
    return Ends(np.where(passed < failed, passed, np.inf), np.where(failed < passed, failed, np.inf))


def enough(variance: float, difference: float) -> int:
    """Return a number of requests after which most rollouts are decided."""
    return int(_ROOM * _ERRORS**2 * variance / difference**2) + 2_000


def measure(bench: Bench, pool: Pool, rollouts: int) -> dict[str, list[tuple[float, float]]]:
    """Add the rows; return median requests by improvement, for each way."""
    curves: dict[str, list[tuple[float, float]]] = {"paired, in shadow": [], **{_named(share): [] for share in SHARES}}
    for improvement in IMPROVEMENTS:
        pair = pool.pair(improvement)
        if pair is None:
            print(f"{pool.name}: no fit is {improvement:.0%} better; left out")
            continue
        random = np.random.default_rng(round(1000 * improvement))
        paired = _paired_median(pair, rollouts, random)
        curves["paired, in shadow"].append((improvement, paired))
        for share in SHARES:
            peer = _split_median(pair, share, rollouts, random)
            curves[_named(share)].append((improvement, peer))
            what = f"{pool.name}, {improvement:.0%} better (correlation {pair.correlation:.2f}): median requests to promote"
            bench.add(Row(what, paired, peer, _named(share), bar=1 / _BAR if share == 0.5 else None))
    return curves


def measure_even(bench: Bench, pool: Pool, rollouts: int) -> None:
    """Add how often anything is decided about a candidate that is exactly as good."""
    pair, random = pool.pair(0.0), np.random.default_rng(5)
    if pair is not None:
        ours, peer = shadow(pair, rollouts, REQUESTS, random), split(pair, 0.5, rollouts, REQUESTS, random)
        _share(bench, f"{pool.name}, candidate exactly as good: share ever promoted", ours.passed, peer.passed, promised=True)
        _share(bench, f"{pool.name}, candidate exactly as good: share ever rejected", ours.failed, peer.failed, promised=True)


def measure_worse(bench: Bench, pool: Pool, rollouts: int) -> float | None:
    """Add what becomes of a candidate that is 5 % worse; return how many requests a split lets it answer (median, of 10,000)."""
    pair, random = pool.pair(-0.05), np.random.default_rng(6)
    if pair is None:
        return None
    ours, peer = shadow(pair, rollouts, REQUESTS, random), split(pair, 0.5, rollouts, REQUESTS, random)
    _share(bench, f"{pool.name}, candidate 5 % worse: share promoted", ours.passed, peer.passed, promised=True)
    _share(bench, f"{pool.name}, candidate 5 % worse: share rejected", ours.failed, peer.failed, promised=False)
    until = [float(np.median(np.minimum(ends.failed, REQUESTS))) for ends in (ours, peer)]
    bench.add(Row(f"{pool.name}, candidate 5 % worse: median requests until it is out, of {REQUESTS:,}", *until, _named(0.5)))
    return 0.5 * until[1]


def _share(bench: Bench, what: str, ours: Floats, peer: Floats, *, promised: bool) -> None:
    seen = Share(int(np.isfinite(ours).sum()), len(ours))
    bar = most(rules().alpha, seen.of) if promised else None
    what = f"{what} within {REQUESTS:,} requests ({seen})"
    bench.add(Row(what, seen.share, float(np.isfinite(peer).mean()), _named(0.5), bar=bar, bar_on="ours"))


def _paired_median(pair: Pair, rollouts: int, random: np.random.Generator) -> float:
    blocks, size = (pair.champion - pair.candidate).mean(axis=1), pair.champion.shape[1]
    return float(np.median(shadow(pair, rollouts, enough(float(blocks.var() * size), float(blocks.mean())), random).passed))


def _split_median(pair: Pair, share: float, rollouts: int, random: np.random.Generator) -> float:
    variance = float(pair.champion.var() / (1 - share) + pair.candidate.var() / share)
    requests = enough(variance, float(pair.champion.mean() - pair.candidate.mean()))
    few = int(np.clip(60e6 / requests, 21, rollouts))  # the longest ones are few, so that a run stays within minutes
    return float(np.median(split(pair, share, few, requests, random).passed))


def _named(share: float) -> str:
    return f"A/B split at {share:.0%}"
