"""Under no difference, looked at after every block: how often is anything decided at all?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.frame import Bench, Row
from benchmarks.simulated.looks import blocked, looks, rarer_so_far, rules, t_test_looks
from benchmarks.simulated.worlds import BLOCK, WORLDS, World

REQUESTS = 10_000
_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Share:
    """How many of many rollouts; with the Clopper-Pearson interval at 95 %."""

    count: int
    of: int

    @property
    def share(self) -> float:
        return self.count / self.of

    @property
    def bounds(self) -> tuple[float, float]:
        from scipy.stats import beta

        lower = float(beta.ppf(0.025, self.count, self.of - self.count + 1)) if self.count else 0.0
        upper = float(beta.ppf(0.975, self.count + 1, self.of - self.count)) if self.count < self.of else 1.0
        return lower, upper

    def __str__(self) -> str:
        return f"95 %: {self.bounds[0]:.3f} to {self.bounds[1]:.3f}"


def most(alpha: float, of: int) -> float:
    """Return the greatest share of `of` simulated rollouts whose Clopper-Pearson interval still reaches down to alpha."""
    return next(count for count in range(of, -1, -1) if Share(count, of).bounds[0] <= alpha) / of


def decided(world: World, margin: float, rollouts: int, seed: int, size: int = BLOCK) -> tuple[Share, Share]:
    """Return how many rollouts were ever decided: by the product, and by a t-test at every look."""
    random, given = np.random.default_rng(seed), rules(world.loss, margin)
    ours = peer = 0
    for begin in range(0, rollouts, _AT_ONCE):
        stream = world.draw(random, (min(_AT_ONCE, rollouts - begin), REQUESTS), margin)
        means = blocked(stream.differences, size)
        rarer = None if stream.positive is None else rarer_so_far(stream.positive, size)
        ours += int(looks(means, given, rarer).ever.sum())
        peer += int(t_test_looks(means, given).ever.sum())
    return Share(ours, rollouts), Share(peer, rollouts)


def measure(bench: Bench, rollouts: int) -> None:
    """Add a row for each world, at margin 0 and at the boundary of a margin."""
    alpha = rules().alpha
    bar = most(alpha, rollouts)
    for number, world in enumerate(WORLDS):
        for where, margin in (("margin 0", 0.0), ("at the boundary of a margin", world.margin)):
            ours, peer = decided(world, margin, rollouts, seed=number)
            what = f"no difference, {world.name}, {where}: share of {rollouts:,} rollouts ever decided ({ours})"
            bench.add(Row(what, ours.share, peer.share, "t-test at every look", bar=bar, bar_on="ours"))
    related = next(world for world in WORLDS if world.name == "AR(1) 0.8")
    ours, peer = decided(related, 0.0, rollouts, seed=99, size=5)
    what = f"for comparison, blocks too short: AR(1) 0.8 in blocks of 5 requests, margin 0: share ever decided ({ours})"
    bench.add(Row(what, ours.share, peer.share, "t-test at every look"))
