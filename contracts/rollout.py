"""The words of the heart: route, state, evidence, decision. Three types for three things; none may stand in for another.

spec (contracts.spec.RolloutSpec): what was asked. RolloutState: what is remembered. Evidence: what was seen just now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from contracts.confidence import ConfidenceSteps
from contracts.events import Intent
from contracts.route import Arm as Arm
from contracts.route import ModelRef as ModelRef
from contracts.route import Route as Route
from contracts.verdict import Verdict


class Phase(StrEnum):
    """Where a rollout stands."""

    IDLE = "idle"
    RUNNING = "running"
    PROMOTING = "promoting"
    WATCHING = "watching"
    PAUSED = "paused"
    ABORTING = "aborting"


@dataclass(frozen=True, slots=True)
class Approval:
    """A person is asked whether the candidate may become champion.

    Attributes:
        asked_at, expires_at: on the pipeline's clock.
        by, reason: who said yes, and why; None while nobody has. It holds for the candidate of the state that it stands in.
    """

    asked_at: datetime
    expires_at: datetime
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RolloutState:
    """What is remembered of a pipeline's rollout; one row in the ledger, swapped by revision.

    Attributes:
        stage: index into the spec's stages while running.
        phase_since, stage_since: on the pipeline's clock.
        errors_in_row: consecutive ticks whose worst outcome was ERROR.
        paused_from: the phase to come back to.
        approval: what a person is asked while running, where promotion is manual and the evidence was in.
        allocated_at: when a bandit's shares were set, on the pipeline's clock.
    """

    pipeline: str
    revision: int
    phase: Phase
    route: Route
    previous: ModelRef | None = None
    candidate: ModelRef | None = None
    stage: int | None = None
    phase_since: datetime | None = None
    stage_since: datetime | None = None
    champion_since: datetime | None = None
    errors_in_row: int = 0
    paused_from: Phase | None = None
    approval: Approval | None = None
    allocated_at: datetime | None = None

    @property
    def champion(self) -> ModelRef | None:
        """Who answers users."""
        return self.route.champion

    @property
    def epoch(self) -> int:
        """The epoch in force."""
        return self.route.epoch


def fresh_state(pipeline: str) -> RolloutState:
    """Return the state of a pipeline that never had a rollout."""
    return RolloutState(pipeline, 0, Phase.IDLE, Route(0, None, None))


@dataclass(frozen=True, slots=True)
class Aliases:
    """The registry's aliases: version numbers as text."""

    champion: str | None = None
    candidate: str | None = None
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayView:
    """What one live gateway says it serves, and what its process uses where it tells: memory, and processors kept busy."""

    id: str
    epoch: int
    champion: str | None
    seen_at: datetime
    memory_bytes: int | None = None
    processors: float | None = None


@dataclass(frozen=True, slots=True)
class ShadowView:
    """Where the shadow process is: rows and seconds behind the log, its last error, and what its process uses where it tells."""

    version: str
    epoch: int
    lag_rows: int
    lag_seconds: float
    rows: int
    seen_at: datetime
    error: str | None = None
    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    processors: float | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A registered version that asks to become champion; `gates` are its offline verdicts."""

    id: int
    model: ModelRef
    at: datetime
    cause: str
    reason: str
    actor: str
    gates: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen just now.

    Attributes:
        epoch: the epoch under which `verdicts` were measured; of another epoch than the state's they count for nothing.
        submissions: versions that wait, oldest first.
        aliases: what the registry says now.
        gateways: live gateways only.
        verdicts: what the live gates of the current stage, or of the watch, said.
        shares: what a bandit's arms should answer from now on, by role; None where it cannot be told.
    """

    epoch: int
    aliases: Aliases = Aliases()
    submissions: tuple[Submission, ...] = ()
    intents: tuple[Intent, ...] = ()
    gateways: tuple[GatewayView, ...] = ()
    shadow: ShadowView | None = None
    verdicts: tuple[Verdict, ...] = ()
    shares: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """On what verdicts rest, so that anybody can compute them again from the traffic log.

    Attributes:
        state: what was remembered when they were measured.
        rollout: the rollout's spec of then, as JSON.
        began: when the epoch of the evidence, or the exposure, began.
        heard_at: what the log held by then was read. Both on the wall clock.
        clock: on the pipeline's clock.
        beside: numbers by name that were measured with them and stand in no verdict.
    """

    state: RolloutState
    rollout: dict[str, Any]
    began: datetime
    heard_at: datetime
    clock: datetime
    beside: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one tick measured: the verdicts of an epoch, when on the pipeline's clock, on what they rest, and how the evidence grew."""

    epoch: int
    clock: datetime
    verdicts: tuple[Verdict, ...]
    basis: Basis | None = None
    steps: ConfidenceSteps | None = None


class Act(StrEnum):
    """What a decision does; `hold` changes nothing and is not written to the ledger."""

    HOLD = "hold"
    REPAIR = "repair"
    BOOTSTRAP = "bootstrap"
    START = "start"
    ADVANCE = "advance"
    EXPOSE = "expose"
    SUPERSEDE = "supersede"
    ASK = "ask"
    APPROVE = "approve"
    PROMOTE = "promote"
    WATCH = "watch"
    FINISH = "finish"
    ROLLBACK = "rollback"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class Decision:
    """What reconcile decided: the state to save, and why.

    The actions that follow (move aliases, tell the gateways) are derived from `state` against what is observed, so a lost action is
    derived again at the next tick.

    Attributes:
        version: the version the decision is about.
        intents, submissions: ids that this decision consumes, in the same transaction.
    """

    act: Act
    state: RolloutState
    reason: str
    actor: str = "understudy"
    version: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    intents: tuple[int, ...] = ()
    submissions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision as the ledger keeps it for ever.

    Attributes:
        at: wall clock. clock: the pipeline's clock (event time in replays).
        basis: on what the verdicts rest; None where nothing was measured live.
    """

    id: int
    pipeline: str
    revision: int
    at: datetime
    clock: datetime
    act: Act
    reason: str
    actor: str
    version: str | None
    epoch: int
    phase: Phase
    verdicts: tuple[Verdict, ...] = field(default=())
    basis: Basis | None = None
