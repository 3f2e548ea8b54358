"""Exposure: which users a candidate answers in an A/B or bandit stage, and when that changes.

Every change raises the epoch and is a decision in the ledger. The salt changes with it, so that a bandit draws anew at each allocation:
whom an arm got before says nothing about whom it gets now. An A/B stage has one allocation, so there a unit keeps its arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.rollout import Act, Arm, Decision, Evidence, ModelRef, Phase, RolloutState, Route
from contracts.spec import AbStage, BanditStage, Stage

CHAMPION, CANDIDATE, PREVIOUS = "champion", "candidate", "previous"
_WORTH_A_CHANGE = 0.01  # of the units; a smaller move of the shares is Monte Carlo noise and not worth an epoch


@dataclass(frozen=True, slots=True)
class Exposure:
    """Who answers users side by side.

    Attributes:
        judged, against: the candidate and the champion.
        since, epoch: rows logged under these epochs and those between count.
        stage: index into the spec's stages.
    """

    judged: ModelRef
    against: ModelRef
    arms: tuple[Arm, ...]
    since: int
    epoch: int
    stage: int


def exposure_of(state: RolloutState) -> Exposure | None:
    """Return who is exposed in this state, also while it is paused; None where the champion answers everybody."""
    if not state.route.arms or state.candidate is None or state.champion is None or state.phase not in {Phase.RUNNING, Phase.PAUSED}:
        return None
    route = state.route
    return Exposure(state.candidate, state.champion, route.arms, route.arms_since, route.epoch, state.stage or 0)


def route_of(stage: Stage, state: RolloutState) -> Route:
    """Return the route with which a stage begins: in shadow the candidate follows the log, else it answers its share of users."""
    epoch = state.epoch + 1
    if not isinstance(stage, AbStage | BanditStage):
        return Route(epoch, state.champion, state.candidate)
    models = _models(stage, state)
    others = stage.floor * (len(models) - 2) if isinstance(stage, BanditStage) else 0.0
    shares = {CHAMPION: 1 - stage.share - others, CANDIDATE: stage.share, PREVIOUS: others}
    return Route(epoch, state.champion, None, _arms(models, shares), _salt(state, epoch), epoch)


def corrected(stage: Stage, state: RolloutState, now: datetime) -> Decision | None:
    """Return the decision that brings the exposure in line with the spec, where the spec was changed meanwhile; else None."""
    route = route_of(stage, state)
    if isinstance(stage, BanditStage):
        same = [(arm.name, arm.model) for arm in route.arms] == [(arm.name, arm.model) for arm in state.route.arms]
    else:
        same = (route.shadow, route.arms) == (state.route.shadow, state.route.arms)
    if same:
        return None
    return _expose(state, route, now, f"the spec asks for another exposure: {told(stage, route)}")


def reallocated(stage: Stage, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    """Return the decision that moves a bandit's shares to where the evidence wants them; None where that is not due or not worth it."""
    if not isinstance(stage, BanditStage) or evidence.shares is None or evidence.epoch != state.epoch:
        return None
    if now - (state.allocated_at or now) < stage.reallocate:
        return None
    before = {arm.name: arm.share for arm in state.route.arms}
    if before.keys() != evidence.shares.keys():
        return None
    if max(abs(share - before[name]) for name, share in evidence.shares.items()) < _WORTH_A_CHANGE:
        return None
    epoch = state.epoch + 1
    arms = tuple(replace(arm, share=evidence.shares[arm.name]) for arm in state.route.arms)
    route = replace(state.route, epoch=epoch, arms=arms, salt=_salt(state, epoch))
    return _expose(state, route, now, f"the rewards move the shares: {_shares(route)}")


def told(stage: Stage, route: Route) -> str:
    """Return in a few words whom a stage exposes."""
    return "in shadow" if not route.arms else f"{stage.kind} with {_shares(route)}"


def _shares(route: Route) -> str:
    return ", ".join(f"version {arm.model.version} ({arm.name}) {arm.share:.1%}" for arm in route.arms)


def _expose(state: RolloutState, route: Route, now: datetime, reason: str) -> Decision:
    saved = replace(state, revision=state.revision + 1, route=route, allocated_at=now, approval=None)
    return Decision(Act.EXPOSE, saved, reason, version=state.candidate.version if state.candidate else None)


def _models(stage: AbStage | BanditStage, state: RolloutState) -> dict[str, ModelRef | None]:
    models = {CHAMPION: state.champion, CANDIDATE: state.candidate}
    if isinstance(stage, BanditStage) and stage.with_previous and state.previous is not None:
        models[PREVIOUS] = state.previous
    return models


def _arms(models: Mapping[str, ModelRef | None], shares: Mapping[str, float]) -> tuple[Arm, ...]:
    return tuple(Arm(name, model, shares[name]) for name, model in models.items() if model is not None)


def _salt(state: RolloutState, epoch: int) -> str:
    return f"{state.pipeline}/{state.candidate.version if state.candidate else ''}/{epoch}"
