"""How the gates of a rollout share its alpha; the one place where it is divided.

A promotion needs every gate of every stage to pass, so each could have the whole of alpha for that. But a single FAIL ends a rollout, and
chances of a false one add up. So alpha is divided (Bonferroni): equally over the stages; within a stage four fifths for the loss or reward,
the rest in equal parts for the guardrails that test something; the slices of one guardrail in a series that ends nowhere, for nobody knows
beforehand how many there will be. A watch is another decision, about another champion, and has an alpha of its own, divided as a stage's.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.spec import Guardrails, RolloutSpec

_LOSS = 0.8


class Shares(NamedTuple):
    """What the loss or reward of a stage, or the loss of a watch, has of alpha, and what each guardrail that tests something has."""

    loss: float
    each: float


def alpha_shares(spec: RolloutSpec) -> Shares:
    """Return the shares of one stage, whatever its kind: together they are alpha over the number of stages."""
    return _divided(spec.alpha / len(spec.stages), spec.guardrails)


def watch_shares(spec: RolloutSpec) -> Shares:
    """Return the shares of the watch: together they are alpha."""
    return _divided(spec.alpha, spec.guardrails)


def slice_share(alpha: float, number: int) -> float:
    """Return the share of the slice that came up as the first, second, ... one: alpha / (n (n + 1)), in the end alpha altogether.

    >>> [slice_share(0.06, number) for number in (1, 2, 3)]
    [0.03, 0.01, 0.005]
    """
    return alpha / (number * (number + 1))


def _divided(alpha: float, limits: Guardrails) -> Shares:
    tests = sum(limit is not None for limit in (limits.error_rate, limits.latency_p99_ratio, limits.worst_slice))
    tests += bool(limits.non_finite)  # at a limit of 0 a single such answer is proof
    return Shares(alpha * _LOSS, alpha * (1 - _LOSS) / tests) if tests else Shares(alpha, 0.0)
