"""By what a stage, or the watch, judges: the rules that follow from the spec alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from contracts.package import Task
from contracts.rollout import Phase, RolloutState
from contracts.spec import Guardrails, LossName, RolloutSpec, ShadowStage
from rollout.alpha import Shares, alpha_shares, watch_shares

_EXPECTED_BLOCKS = 50  # where the spec says nothing about how many will come
_MANY_BLOCKS = 1000  # below, the empirical-Bernstein bounds are wider than any difference between two useful models
_BRIER: dict[Task, tuple[float, float]] = {"binary": (0.0, 1.0), "multiclass": (0.0, 2.0)}


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a stage, or the watch, judges.

    Attributes:
        margin: how much worse the loss per request may be, in the loss's unit.
        tightest_at: the number of blocks at which the bounds are narrowest; it follows from the spec, never from what was seen.
        alpha, alpha_each: what the paired loss has, and what each guardrail that tests something has.
        bounds: least and greatest loss of a request as the spec has them; a loss beyond them counts as the bound.
        min_label_coverage: share of due requests with a label, below which nothing is decided.
        on_label_bias: what it does to a promotion that labelled and unlabelled requests differ.
    """

    loss: LossName
    block: timedelta
    margin: float
    min_blocks: int
    tightest_at: int
    alpha: float
    alpha_each: float
    guardrails: Guardrails
    boundary: Literal["asymptotic", "bernstein"] = "asymptotic"
    bounds: tuple[float, float] | None = None
    min_label_coverage: float = 0.0
    on_label_bias: Literal["wait", "warn"] = "wait"

    def loss_bounds(self, task: Task) -> tuple[float, float] | None:
        """Return the least and greatest loss that a request can have; the Brier score is bounded by itself."""
        return self.bounds or (_BRIER.get(task) if self.loss == "brier" else None)


def rules_of(spec: RolloutSpec, state: RolloutState) -> Rules:
    """Return the rules that hold in this state."""
    return watch_rules(spec) if state.phase is Phase.WATCHING else stage_rules(spec, state.stage or 0)


def stage_rules(spec: RolloutSpec, index: int) -> Rules:
    """Return the rules of a shadow stage; of any other those of the shadow before it."""
    stage = spec.shadow_at(index)
    rehearsed = round(stage.rehearse / stage.block)
    expected = max(stage.min_blocks, rehearsed) if rehearsed else _EXPECTED_BLOCKS
    return _rules(spec, stage, stage.block, stage.margin, expected, alpha_shares(spec))


def watch_rules(spec: RolloutSpec) -> Rules:
    """Return the rules of the watch: the last shadow's, with blocks short enough to be twice as many as are needed while it lasts.

    A margin that asked the candidate to be better is not asked of the champion again: under watch it may only not be worse.
    """
    stage = spec.shadows[-1]
    block = max(min(stage.block, spec.watch / (2 * stage.min_blocks)), timedelta(seconds=1))
    expected = max(stage.min_blocks, round(spec.watch / block))
    return _rules(spec, stage, block, max(stage.margin, 0.0), expected, watch_shares(spec))


def _rules(spec: RolloutSpec, stage: ShadowStage, block: timedelta, margin: float, expected: int, shares: Shares) -> Rules:
    return Rules(
        stage.loss,
        block,
        margin,
        stage.min_blocks,
        expected,
        shares.loss,
        shares.each,
        spec.guardrails,
        _boundary(stage, expected),
        stage.bounds,
        stage.min_label_coverage,
        stage.on_label_bias,
    )


def _boundary(stage: ShadowStage, expected: int) -> Literal["asymptotic", "bernstein"]:
    """With many blocks of a bounded loss the bounds that hold at any sample size cost little, with few they would decide nothing."""
    if stage.boundary != "auto":
        return stage.boundary
    return "bernstein" if stage.bounded and expected >= _MANY_BLOCKS else "asymptotic"
