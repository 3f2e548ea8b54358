"""What the product says of many simulated rollouts at once, after each complete block.

The interval, its alpha, where it is tightest, the least blocks and the least rare labels are the product's own; only the loop over
rollouts is here. tests/benchmarks/test_decisions.py holds it against `rollout.assess.assess`, look by look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.spec import RolloutSpec
from rollout.paired import LEAST_RARER, path_of
from rollout.rules import Rules, stage_rules

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Looks:
    """After each block of each rollout, (rollouts, blocks): does the paired loss pass, does it fail."""

    passed: Flags
    failed: Flags

    @property
    def ever(self) -> Flags:
        """(rollouts,) whether any look decided anything."""
        return np.asarray((self.passed | self.failed).any(axis=1))


def rules(loss: str = "absolute_error", margin: float = 0.0, **stage: Any) -> Rules:
    """Return the rules of a shadow stage as shipped; no guardrail shares alpha, so that the paired loss has all of it."""
    spec = {
        "stages": [{"kind": "shadow", "loss": loss, "margin": margin, **stage}],
        "guardrails": {"error_rate": None},
    }
    return stage_rules(RolloutSpec.model_validate(spec), 0)


def blocked(values: Floats, size: int) -> Floats:
    """Return the mean of each complete block of `size` requests: (rollouts, requests) become (rollouts, blocks)."""
    whole = values.shape[1] // size * size
    return values[:, :whole].reshape(len(values), -1, size).mean(axis=2)


def looks(means: Floats, given: Rules, rarer: NDArray[np.int64] | None = None) -> Looks:
    """Judge after each block.

    Args:
        means: (rollouts, blocks) of the loss difference.
        rarer: (rollouts, blocks) labels outside the commonest class so far; None for regression.
    """
    path = path_of(means, given.alpha, given, "regression" if rarer is None else "binary")
    ready = np.broadcast_to(np.arange(1, means.shape[1] + 1) >= given.min_blocks, means.shape)
    if rarer is not None:
        ready = ready & (rarer >= LEAST_RARER)
    return Looks(ready & (path.lower > -given.margin), ready & (path.upper < -given.margin))


def rarer_so_far(positive: Flags, size: int) -> NDArray[np.int64]:
    """Return how many labels outside the commoner of two classes there were after each block."""
    seen = blocked(positive.astype(np.float64), size).cumsum(axis=1) * size
    count = size * np.arange(1, seen.shape[1] + 1)
    return np.rint(np.minimum(seen, count - seen)).astype(np.int64)


def t_test_looks(means: Floats, given: Rules) -> Looks:
    """Judge after each block by a two-sided t-test, each time as if it were the only time."""
    from scipy.special import stdtrit

    count = np.arange(1, means.shape[1] + 1)
    mean = means.cumsum(axis=1) / count
    square = np.square(means).cumsum(axis=1) / count
    error = np.sqrt(np.maximum(square - np.square(mean), 0) / np.maximum(count - 1, 1))
    radius = np.where(count < given.min_blocks, np.inf, error * stdtrit(np.maximum(count - 1, 1), 1 - given.alpha / 2))
    return Looks(mean - radius > -given.margin, mean + radius < -given.margin)


def first(flags: Flags) -> NDArray[np.float64]:
    """Return after how many blocks each rollout was first decided: (rollouts,), infinite where never."""
    return np.where(flags.any(axis=1), flags.argmax(axis=1) + 1.0, np.inf)
