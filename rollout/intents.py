"""The moves of a rollout, and how an operator's intent becomes one of them or is declined with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from contracts.events import Intent, IntentKind
from contracts.rollout import Act, Decision, Phase, RolloutState, Route
from contracts.spec import RolloutSpec


def answer(spec: RolloutSpec, state: RolloutState, asked: Intent, now: datetime) -> Decision:
    """Answer one intent; it is consumed whether it is followed or declined."""
    decision = _follow(spec, state, asked, now)
    if decision is None:
        saved = replace(state, revision=state.revision + 1)
        why = f"{asked.kind.value} was asked for {_where(state, asked)}: nothing to {asked.kind.value}"
        decision = Decision(Act.DECLINE, saved, f"{why} ({asked.reason})")
    return replace(decision, actor=asked.actor, intents=(asked.id,))


def _where(state: RolloutState, asked: Intent) -> str:
    if not _is_about(asked, state):
        return f"of version {asked.version}, which is not the candidate" + (
            f" (version {state.candidate.version} is)" if state.candidate else ""
        )
    return f"while the rollout is {state.phase.value}" + (" and nobody is asked" if asked.kind is IntentKind.APPROVE else "")


def _is_about(asked: Intent, state: RolloutState) -> bool:
    """Whether the wish is about what is there now: a form may be answered after its candidate has gone."""
    return asked.version is None or (state.candidate is not None and asked.version == state.candidate.version)


def _follow(spec: RolloutSpec, state: RolloutState, asked: Intent, now: datetime) -> Decision | None:  # noqa: ARG001 - later stages ask the spec
    live = state.paused_from if state.phase is Phase.PAUSED else state.phase
    if not _is_about(asked, state):
        return None
    match asked.kind:
        case IntentKind.APPROVE if state.approval is not None:
            saved = replace(state, revision=state.revision + 1, approval=replace(state.approval, by=asked.actor, reason=asked.reason))
            return Decision(
                Act.APPROVE, saved, asked.reason, version=asked.version or (state.candidate.version if state.candidate else None)
            )
        case IntentKind.ROLLBACK if state.previous is not None:
            return roll_back(state, now, asked.reason)
        case IntentKind.PROMOTE if live is Phase.RUNNING:
            return promote(state, now, asked.reason)
        case IntentKind.ABORT if live is Phase.RUNNING:
            return abort(state, now, asked.reason)
        case IntentKind.PAUSE if state.phase in {Phase.RUNNING, Phase.WATCHING}:
            return pause(state, now, asked.reason, version=(state.candidate or state.champion).version)  # type: ignore[union-attr]  # one of both is set in these phases
        case IntentKind.RESUME if state.phase is Phase.PAUSED and state.paused_from is not None:
            saved = replace(state, revision=state.revision + 1, phase=state.paused_from, paused_from=None, errors_in_row=0, stage_since=now)
            return Decision(Act.RESUME, saved, asked.reason)
        case _:
            return None


def promote(state: RolloutState, now: datetime, reason: str) -> Decision:
    """Swap the roles: the candidate answers users, the former champion follows the log."""
    champion = state.candidate
    if champion is None:
        raise ValueError("there is no candidate to promote")
    saved = replace(
        _nobody_rehearses(state, now),
        phase=Phase.PROMOTING,
        route=Route(state.epoch + 1, champion, state.champion),
        previous=state.champion,
        champion_since=now,
    )
    return Decision(Act.PROMOTE, saved, reason, version=champion.version)


def roll_back(state: RolloutState, now: datetime, reason: str) -> Decision:
    """Bring the previous champion back; nothing has to be loaded, and a candidate in shadow leaves."""
    if state.previous is None:
        raise ValueError("there is no previous champion")
    saved = replace(
        _nobody_rehearses(state, now),
        phase=Phase.ABORTING,
        route=Route(state.epoch + 1, state.previous, None),
        previous=None,
        champion_since=now,
    )
    return Decision(Act.ROLLBACK, saved, reason, version=state.previous.version)


def abort(state: RolloutState, now: datetime, reason: str) -> Decision:
    """Take the candidate out; the champion stays."""
    saved = replace(_nobody_rehearses(state, now), phase=Phase.ABORTING, route=Route(state.epoch + 1, state.champion, None))
    return Decision(Act.ABORT, saved, reason, version=state.candidate.version if state.candidate else None)


def pause(state: RolloutState, now: datetime, reason: str, version: str | None) -> Decision:
    """Stop judging until somebody resumes; who answers users does not change."""
    saved = replace(state, revision=state.revision + 1, phase=Phase.PAUSED, paused_from=state.phase, phase_since=now, approval=None)
    return Decision(Act.PAUSE, saved, reason, version=version)


def _nobody_rehearses(state: RolloutState, now: datetime) -> RolloutState:
    """Return the next state as it is where the candidate has left the stages, whichever way."""
    return replace(
        state,
        revision=state.revision + 1,
        candidate=None,
        stage=None,
        phase_since=now,
        stage_since=None,
        errors_in_row=0,
        paused_from=None,
        approval=None,
    )
