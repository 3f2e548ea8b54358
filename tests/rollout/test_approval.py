"""Manual promotion: asked once, promoted only on a yes and on evidence that passes, and never forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.events import Intent, IntentKind
from contracts.rollout import Act, Approval, Decision, Evidence, Phase, RolloutState
from contracts.spec import ApprovalRule, RolloutSpec
from contracts.verdict import Outcome
from rollout.reconcile import reconcile
from tests.rollout.test_reconcile import MANUAL, SPEC, START, asked, model, running, seen

DAY = timedelta(days=1)
PAUSES = MANUAL.model_copy(update={"approval": ApprovalRule.model_validate({"expires": "3d", "then": "pause"})})


def waiting(spec: RolloutSpec = MANUAL) -> RolloutState:
    state = running(spec)
    decision = reconcile(spec, state, seen(state, Outcome.PASS), START)
    assert decision.act is Act.ASK
    return decision.state


def wish(kind: IntentKind, version: str | None = None) -> Evidence:
    return Evidence(0, intents=(Intent(9, kind, "ada", "I read it", START, version),))


def approved() -> Decision:
    return reconcile(MANUAL, waiting(), wish(IntentKind.APPROVE, "2"), START)


def test_a_person_is_asked_once_with_the_evidence_and_until_when() -> None:
    state = running(MANUAL)
    decision = reconcile(MANUAL, state, seen(state, Outcome.PASS), START)
    assert (decision.act, decision.version, decision.verdicts[0].outcome) == (Act.ASK, "2", Outcome.PASS)
    assert decision.state.approval == Approval(START, START + 7 * DAY)
    assert "a person is asked until 2026-01-08T00:00+00:00, then abort" in decision.reason
    again = reconcile(MANUAL, decision.state, seen(decision.state, Outcome.PASS), START + DAY)
    assert (again.act, again.state) == (Act.HOLD, decision.state)


def test_a_yes_promotes_by_the_next_evidence_that_passes_and_names_who_and_why() -> None:
    yes = approved()
    assert (yes.act, yes.actor, yes.reason, yes.intents, yes.version) == (Act.APPROVE, "ada", "I read it", (9,), "2")
    assert yes.state.champion == model(1)
    for outcome in (Outcome.INCONCLUSIVE, Outcome.ERROR):
        decision = reconcile(MANUAL, yes.state, seen(yes.state, outcome), START)
        assert decision.state.champion == model(1)
    assert reconcile(MANUAL, yes.state, seen(yes.state, Outcome.PASS, epoch=7), START).act is Act.HOLD  # another epoch's PASS
    done = reconcile(MANUAL, yes.state, seen(yes.state, Outcome.PASS), START)
    assert (done.act, done.actor, done.state.champion, done.state.approval) == (Act.PROMOTE, "ada", model(2), None)
    assert done.reason == "approved (I read it); it is PASS"


def test_a_failure_ends_it_whether_or_not_it_was_approved() -> None:
    for state in (waiting(), approved().state):
        decision = reconcile(MANUAL, state, seen(state, Outcome.FAIL), START)
        assert (decision.act, decision.state.approval) == (Act.ABORT, None)


def test_a_no_aborts() -> None:
    decision = reconcile(MANUAL, waiting(), wish(IntentKind.ABORT, "2"), START)
    assert (decision.act, decision.actor, decision.state.approval) == (Act.ABORT, "ada", None)


@pytest.mark.parametrize("kind", [IntentKind.APPROVE, IntentKind.ABORT])
def test_the_answer_to_a_form_about_another_version_is_declined(kind: IntentKind) -> None:
    state = waiting()
    newer = reconcile(MANUAL, state, seen(state, submissions=(asked(3),)), START)
    assert (newer.act, newer.state.approval) == (Act.SUPERSEDE, None)
    decision = reconcile(MANUAL, newer.state, wish(kind, "2"), START)
    assert (decision.act, decision.intents) == (Act.DECLINE, (9,))
    assert f"{kind.value} was asked for of version 2, which is not the candidate (version 3 is)" in decision.reason


def test_nobody_can_approve_what_nobody_was_asked() -> None:
    decision = reconcile(MANUAL, running(MANUAL), wish(IntentKind.APPROVE), START)
    assert decision.act is Act.DECLINE
    assert "while the rollout is running and nobody is asked" in decision.reason


def test_a_forgotten_question_expires_by_the_specs_rule() -> None:
    state = waiting()
    late = START + 7 * DAY
    assert reconcile(MANUAL, state, seen(state, Outcome.PASS), late - timedelta(seconds=1)).act is Act.HOLD
    decision = reconcile(MANUAL, state, seen(state, Outcome.PASS), late)
    assert (decision.act, decision.state.champion, decision.state.approval) == (Act.ABORT, model(1), None)
    assert decision.reason == "nobody approved version 2 within 7 days, 0:00:00"
    state = waiting(PAUSES)
    decision = reconcile(PAUSES, state, seen(state, Outcome.PASS), START + 3 * DAY)
    assert (decision.act, decision.state.phase, decision.state.approval) == (Act.PAUSE, Phase.PAUSED, None)
    back = reconcile(PAUSES, decision.state, wish(IntentKind.RESUME), START + 4 * DAY).state
    assert reconcile(PAUSES, back, seen(back, Outcome.PASS), START + 4 * DAY).act is Act.ASK


def test_a_yes_that_the_evidence_never_follows_expires_too() -> None:
    state = approved().state
    held = reconcile(MANUAL, state, seen(state, Outcome.INCONCLUSIVE), START + 6 * DAY)
    assert "approved by ada: promoted as soon as the evidence passes again" in held.reason
    decision = reconcile(MANUAL, state, seen(state, Outcome.INCONCLUSIVE), START + 7 * DAY)
    assert decision.act is Act.ABORT
    assert "approved by ada, but the evidence did not pass again" in decision.reason


def test_the_longest_time_of_the_stage_does_not_end_a_question_that_was_asked_in_time() -> None:
    spec = MANUAL.model_copy(update={"approval": ApprovalRule.model_validate({"expires": "30d"})})
    state = waiting(spec)
    assert reconcile(spec, state, seen(state, Outcome.INCONCLUSIVE), START + 20 * DAY).act is Act.HOLD


def test_a_clock_that_goes_back_leaves_as_much_time_to_answer() -> None:
    state = waiting()
    decision = reconcile(MANUAL, state, seen(state, Outcome.PASS), START - DAY)
    assert (decision.act, decision.state.approval) == (Act.REPAIR, Approval(START - DAY, START + 6 * DAY))


def test_a_spec_that_turns_automatic_promotes_what_waits() -> None:
    state = replace(waiting(), errors_in_row=0)
    assert reconcile(SPEC, state, seen(state, Outcome.PASS), START).act is Act.PROMOTE
