"""Manual promotion: a person is asked once the evidence is in, and a question that nobody answers expires by the spec's rule.

A yes is a fact in the state, not a promotion: the candidate is promoted by the first tick whose own evidence passes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from contracts.rollout import Act, Approval, Decision, RolloutState
from contracts.spec import ApprovalRule
from contracts.verdict import Verdict
from rollout import intents


def passed(rule: ApprovalRule, state: RolloutState, now: datetime, verdicts: tuple[Verdict, ...]) -> Decision:
    """Decide what follows from evidence that passes: ask, go on waiting, or promote what was approved."""
    asked = state.approval
    if asked is None:
        return _ask(rule, state, now, verdicts)
    if asked.by is None:
        return waits(state, asked, verdicts)
    because = "; ".join(one.reason for one in verdicts)
    decision = intents.promote(state, now, f"approved ({asked.reason}); {because}")
    return replace(decision, actor=asked.by, verdicts=verdicts)


def waits(state: RolloutState, asked: Approval, verdicts: tuple[Verdict, ...]) -> Decision:
    """Return the decision that changes nothing while a person is asked, or while what was approved does not pass just now."""
    until = f"until {asked.expires_at.isoformat(timespec='minutes')}"
    if asked.by is not None:
        said = f"approved by {asked.by}: promoted as soon as the evidence passes again, {until}"
    else:
        said = f"the evidence was in; a person is asked {until}: by a form in Prefect, or `understudy promote` or `abort`"
    return Decision(Act.HOLD, state, said, verdicts=verdicts)


def expire(rule: ApprovalRule, state: RolloutState, now: datetime, verdicts: tuple[Verdict, ...]) -> Decision:
    """Do what the spec says of a question that nobody answered in time, or of a yes that the evidence never followed."""
    if state.approval is not None and state.approval.by is not None:
        said = f"approved by {state.approval.by}, but the evidence did not pass again within {rule.expires}"
    else:
        said = f"nobody approved version {_candidate(state)} within {rule.expires}"
    if rule.then == "pause":
        return replace(intents.pause(state, now, said, version=_candidate(state)), verdicts=verdicts)
    return replace(intents.abort(state, now, said), verdicts=verdicts)


def from_now(asked: Approval | None, now: datetime) -> Approval | None:
    """Return the same question with its time counted from now, for a clock that went back."""
    return None if asked is None else replace(asked, asked_at=now, expires_at=now + (asked.expires_at - asked.asked_at))


def _ask(rule: ApprovalRule, state: RolloutState, now: datetime, verdicts: tuple[Verdict, ...]) -> Decision:
    asked = Approval(now, now + rule.expires)
    until = asked.expires_at.isoformat(timespec="minutes")
    said = f"the evidence is in; promotion is manual: a person is asked until {until}, then {rule.then}"
    saved = replace(state, revision=state.revision + 1, approval=asked)
    return Decision(Act.ASK, saved, said, version=_candidate(state), verdicts=verdicts)


def _candidate(state: RolloutState) -> str | None:
    return state.candidate.version if state.candidate else None
