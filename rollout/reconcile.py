"""The heart: what was asked, what is remembered and what is seen become one decision.

The order of questions is the policy: leave (an operator's wish, a champion moved by someone else, a FAIL), then pause, then repair (the
gateways have another route: send it again and judge nothing this tick), then judge.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from contracts.rollout import Act, Aliases, Decision, Evidence, ModelRef, Phase, RolloutState, Route, Submission
from contracts.spec import RolloutSpec
from contracts.verdict import Outcome, Verdict, worst
from rollout import approval, exposure, intents

_SKEW = timedelta(minutes=1)  # clocks of two machines differ; by more than this a clock went back


def reconcile(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision:
    """Decide the next step of a rollout.

    Args:
        spec: what was asked.
        state: what is remembered; the decision's state has its revision plus one, unless it holds.
        evidence: what was seen just now; verdicts of another epoch than the state's count for nothing.
        now: on the pipeline's clock.
    """
    for question in (_leave, _pause, _repair, _judge, _recover):
        decision = question(spec, state, evidence, now)
        if decision is not None:
            return decision
    return hold(state, evidence, "nothing to do")


def desired_aliases(state: RolloutState) -> Aliases:
    """Return what the registry's aliases must say for this state."""
    candidate = state.candidate if state.phase is not Phase.IDLE else None
    return Aliases(_version(state.champion), _version(candidate), _version(state.previous))


def hold(state: RolloutState, evidence: Evidence, reason: str) -> Decision:
    """Return the decision that changes nothing."""
    return Decision(Act.HOLD, state, reason, verdicts=current(state, evidence))


def current(state: RolloutState, evidence: Evidence) -> tuple[Verdict, ...]:
    """Return the verdicts of the epoch in force; those of any other epoch count for nothing."""
    return evidence.verdicts if evidence.epoch == state.epoch else ()


def _version(model: ModelRef | None) -> str | None:
    return model.version if model else None


def _leave(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    asked = next(iter(evidence.intents), None)
    if asked is not None:
        return replace(intents.answer(spec, state, asked, now), verdicts=current(state, evidence))
    if _moved_by_someone_else(state, evidence):
        return _foreign(state, evidence, now)
    failed = [one for one in current(state, evidence) if one.outcome is Outcome.FAIL]
    exposed = state.phase is Phase.PAUSED and bool(state.route.arms)  # while users see the candidate, a pause is no shelter
    if not failed or not (exposed or state.phase in {Phase.RUNNING, Phase.WATCHING}):
        return None
    verdicts = current(state, evidence)
    if state.phase is Phase.WATCHING:
        return replace(intents.roll_back(state, now, f"the new champion failed: {failed[0].reason}"), verdicts=verdicts)
    return replace(intents.abort(state, now, failed[0].reason), verdicts=verdicts)


def _moved_by_someone_else(state: RolloutState, evidence: Evidence) -> bool:
    """A champion alias that this rollout neither set nor is about to set."""
    seen = evidence.aliases.champion
    known = {_version(model) for model in (state.champion, state.previous, state.candidate)}
    return state.phase in {Phase.RUNNING, Phase.WATCHING} and seen is not None and seen not in known


def _foreign(state: RolloutState, evidence: Evidence, now: datetime) -> Decision:
    reason = f"the registry's champion was moved to version {evidence.aliases.champion} by someone else; the ledger's champion stays"
    if state.phase is Phase.RUNNING:
        return intents.abort(state, now, reason)
    saved = replace(state, revision=state.revision + 1, phase=Phase.IDLE, candidate=None, stage=None, phase_since=now)
    return Decision(Act.ABORT, saved, reason, version=_version(state.champion))


def _pause(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    if state.phase not in {Phase.RUNNING, Phase.WATCHING} or worst(current(state, evidence)) is not Outcome.ERROR:
        return None
    verdicts = current(state, evidence)
    broken = next(one for one in verdicts if one.outcome is Outcome.ERROR)
    count = state.errors_in_row + 1
    if count < spec.max_errors:
        saved = replace(state, revision=state.revision + 1, errors_in_row=count)
        return Decision(Act.REPAIR, saved, f"measurement failed {count} of {spec.max_errors} times: {broken.reason}", verdicts=verdicts)
    return replace(
        intents.pause(state, now, f"measurement failed {count} times in a row: {broken.reason}", version=_version(state.candidate)),
        verdicts=verdicts,
    )


def _repair(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    if _clock_went_back(state, now):
        saved = replace(
            state,
            revision=state.revision + 1,
            phase_since=now,
            stage_since=now if state.stage_since else None,
            allocated_at=now if state.allocated_at else None,
            approval=approval.from_now(state.approval, now),
        )
        return Decision(
            Act.REPAIR, saved, f"the clock went back to {now.isoformat()}: times are counted from there", version=_judged(state)
        )
    if state.champion is None or _settled(state, evidence):
        return None
    if state.phase is Phase.RUNNING and state.approval is None and _elapsed(state, now) >= spec.stages[_index(spec, state)].max_duration:
        return _time_is_up(spec, state, evidence, now)  # a gateway that never takes the route must not keep a rollout for ever
    return hold(state, evidence, "the route or the aliases are not yet as desired: sent again, judged nothing")


def _clock_went_back(state: RolloutState, now: datetime) -> bool:
    """Event clocks follow whatever is replayed; without a new beginning, no time would ever be up."""
    asked = state.approval.asked_at if state.approval else None
    since = [at for at in (state.phase_since, state.stage_since, asked) if at is not None]
    return state.phase in {Phase.RUNNING, Phase.WATCHING} and any(at - now > _SKEW for at in since)


def _judged(state: RolloutState) -> str | None:
    return _version(state.candidate or state.champion)


def _settled(state: RolloutState, evidence: Evidence) -> bool:
    routes = all(view.epoch == state.epoch and view.champion == _version(state.champion) for view in evidence.gateways)
    return routes and evidence.aliases == desired_aliases(state)


def _judge(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    match state.phase:
        case Phase.IDLE:
            return _take_up(state, evidence, now)
        case Phase.RUNNING:
            return _supersede(spec, state, evidence, now) or _judge_stage(spec, state, evidence, now)
        case Phase.PROMOTING:
            saved = replace(state, revision=state.revision + 1, phase=Phase.WATCHING, candidate=None, stage=None, phase_since=now)
            return Decision(
                Act.WATCH, saved, "every gateway answers with it; the former champion follows the log", version=_version(state.champion)
            )
        case Phase.ABORTING:
            saved = replace(state, revision=state.revision + 1, phase=Phase.IDLE, candidate=None, stage=None, phase_since=now)
            return Decision(Act.FINISH, saved, "the candidate is out", version=_version(state.candidate))
        case Phase.WATCHING:
            return _judge_watch(spec, state, evidence, now)
        case Phase.PAUSED:
            return None


def _take_up(state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    if not evidence.submissions:
        return None
    newest = evidence.submissions[-1]
    consumed = tuple(one.id for one in evidence.submissions)
    if state.champion is None:
        return _bootstrap(state, newest, consumed, now)
    older = f"; {len(consumed) - 1} older waiting version(s) superseded" if len(consumed) > 1 else ""
    return _start(
        state,
        newest,
        consumed,
        now,
        Act.START,
        f"version {newest.model.version} rehearses in shadow ({newest.cause}: {newest.reason}){older}",
    )


def _bootstrap(state: RolloutState, asked: Submission, consumed: tuple[int, ...], now: datetime) -> Decision:
    saved = replace(
        state,
        revision=state.revision + 1,
        phase=Phase.IDLE,
        route=Route(state.epoch + 1, asked.model, None),
        phase_since=now,
        champion_since=now,
    )
    reason = "the first champion: there is nobody to compare with, so only its absolute offline gates were asked for"
    return Decision(Act.BOOTSTRAP, saved, reason, version=asked.model.version, verdicts=asked.gates, submissions=consumed)


def _start(state: RolloutState, asked: Submission, consumed: tuple[int, ...], now: datetime, act: Act, reason: str) -> Decision:
    saved = replace(
        state,
        revision=state.revision + 1,
        phase=Phase.RUNNING,
        route=Route(state.epoch + 1, state.champion, asked.model),
        candidate=asked.model,
        stage=0,
        phase_since=now,
        stage_since=now,
        errors_in_row=0,
        approval=None,
    )
    return Decision(act, saved, reason, version=asked.model.version, verdicts=asked.gates, submissions=consumed)


def _supersede(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    """A newer candidate replaces one that no user sees, and waits behind one that serves."""
    newer = [one for one in evidence.submissions if one.model.version != _version(state.candidate)]
    if not newer or state.route.arms or spec.stages[_index(spec, state)].kind != "shadow":
        return None
    consumed = tuple(one.id for one in evidence.submissions)
    reason = f"version {newer[-1].model.version} supersedes version {_version(state.candidate)}, which was still in shadow"
    return _start(state, newer[-1], consumed, now, Act.SUPERSEDE, reason)


def _judge_stage(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    stage = spec.stages[_index(spec, state)]
    verdicts = current(state, evidence)
    corrected = exposure.corrected(stage, state, now)
    if corrected is not None:
        return replace(corrected, verdicts=verdicts)
    if state.approval is not None and now >= state.approval.expires_at:
        return approval.expire(spec.approval, state, now, verdicts)
    if worst(verdicts) is Outcome.PASS and _elapsed(state, now) >= stage.min_duration:
        if _index(spec, state) + 1 < len(spec.stages):
            return _advance(spec, state, now, verdicts)
        if spec.promotion == "manual":
            return approval.passed(spec.approval, state, now, verdicts)
        return replace(intents.promote(state, now, _because(verdicts)), verdicts=verdicts)
    if state.approval is not None:
        return approval.waits(state, state.approval, verdicts)
    if _elapsed(state, now) >= stage.max_duration:
        return _time_is_up(spec, state, evidence, now)
    moved = exposure.reallocated(stage, state, evidence, now)
    return None if moved is None else replace(moved, verdicts=verdicts)


def _index(spec: RolloutSpec, state: RolloutState) -> int:
    return min(state.stage or 0, len(spec.stages) - 1)  # the spec may have lost stages since


def _elapsed(state: RolloutState, now: datetime) -> timedelta:
    return max(now - (state.stage_since or now), timedelta())


def _time_is_up(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision:
    stage, verdicts = spec.stages[_index(spec, state)], current(state, evidence)
    open_gates = [one.reason for one in verdicts if one.outcome is not Outcome.PASS]
    reason = f"no decision within {stage.max_duration}: " + ("; ".join(open_gates) or "nothing was measured")
    if stage.on_timeout == "pause":
        return replace(intents.pause(state, now, reason, version=_version(state.candidate)), verdicts=verdicts)
    return replace(intents.abort(state, now, reason), verdicts=verdicts)


def _recover(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:  # noqa: ARG001 - the questions share one form
    """Errors are counted in a row: a tick that measured without one begins the count anew."""
    verdicts = current(state, evidence)
    if not verdicts or not state.errors_in_row or state.phase not in {Phase.RUNNING, Phase.WATCHING}:
        return None
    saved = replace(state, revision=state.revision + 1, errors_in_row=0)
    return Decision(Act.REPAIR, saved, "measured again after an error", version=_judged(state), verdicts=verdicts)


def _because(verdicts: tuple[Verdict, ...]) -> str:
    return "; ".join(one.reason for one in verdicts)


def _advance(spec: RolloutSpec, state: RolloutState, now: datetime, verdicts: tuple[Verdict, ...]) -> Decision:
    index = _index(spec, state) + 1
    route = exposure.route_of(spec.stages[index], state)
    saved = replace(
        state,
        revision=state.revision + 1,
        stage=index,
        stage_since=now,
        errors_in_row=0,
        route=route,
        allocated_at=now if route.arms else None,
    )
    reason = f"stage {index}, {exposure.told(spec.stages[index], route)}: {_because(verdicts)}"
    return Decision(Act.ADVANCE, saved, reason, version=_version(state.candidate), verdicts=verdicts)


def _judge_watch(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now: datetime) -> Decision | None:
    if now - (state.phase_since or now) < spec.watch:
        return None
    saved = replace(state, revision=state.revision + 1, phase=Phase.IDLE, phase_since=now, errors_in_row=0)
    reason = f"watched for {spec.watch} without a failure; the former champion stays loaded for a roll-back"
    return Decision(Act.FINISH, saved, reason, version=_version(state.champion), verdicts=current(state, evidence))
