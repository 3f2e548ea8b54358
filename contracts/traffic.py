"""What was asked and answered, as it is written to the traffic log.

All times are integers: microseconds since 1970-01-01 UTC. One row of a request is identified by (request id, row).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AnsweredBatch:
    """One micro-batch the gateway answered; written in one write before its answers leave.

    Per row (all lists of one length): `request_ids`, `rows` (index of the row within its request), `event_times`, `units`, `predictions`.
    A prediction is the value (regression), the probability of the second class (binary) or the list of probabilities (multiclass).
    `arm` is whom the rows were assigned to and `propensity` how probable that was: champion and 1 where nobody else is exposed. `version`
    answered; that is the champion also where the arm's own version could not.
    """

    pipeline: str
    version: str
    epoch: int
    arm: str
    propensity: float
    logged_at: int
    latency_us: int
    request_ids: list[str]
    rows: list[int]
    event_times: list[int]
    units: list[str | None]
    features: dict[str, list[Any]]
    predictions: list[Any]


@dataclass(frozen=True, slots=True)
class FailedBatch:
    """Requests the gateway could not answer through a fault of ours (never the caller's); for the error-rate guardrail."""

    pipeline: str
    version: str
    epoch: int
    logged_at: int
    request_ids: list[str]
    error: str


@dataclass(frozen=True, slots=True)
class FeedbackBatch:
    """Labels or rewards that came later; the last one for a (request id, row) counts. A reward is a number, or several by name."""

    pipeline: str
    received_at: int
    request_ids: list[str]
    rows: list[int]
    labels: list[Any]
    rewards: list[float | dict[str, float] | None]
    observed_at: list[int]


def reward_of(reward: float | dict[str, float] | None, name: str | None) -> float | None:
    """Return the reward of a name; a bare number is of any name, and without a name the only one counts.

    >>> reward_of({"click": 1.0, "revenue": 2.5}, "revenue"), reward_of(0.5, "revenue"), reward_of({"click": 1.0}, None)
    (2.5, 0.5, 1.0)
    """
    if not isinstance(reward, dict):
        return reward
    return next(iter(reward.values())) if name is None and len(reward) == 1 else reward.get(name or "")


@dataclass(frozen=True, slots=True)
class ShadowBatch:
    """What a model in shadow answered to a logged micro-batch; `error` is set and `predictions` empty where it raised."""

    pipeline: str
    version: str
    epoch: int
    answered_at: int
    latency_us: int
    request_ids: list[str]
    rows: list[int]
    predictions: list[Any]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """A time in which rows were answered and could not be logged.

    Attributes:
        began, last: when the first and the last of them was answered.
        rows: how many. A request that failed meanwhile counts as one.
        error: why the log could not be written.
    """

    began: int
    last: int
    rows: int
    error: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader is: bytes read of each segment of a stream."""

    offsets: dict[str, int] = field(default_factory=dict)
