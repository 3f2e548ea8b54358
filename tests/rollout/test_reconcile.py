"""The heart holds under random histories: lost actions, stale and foreign evidence, operators who change their minds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Intent, IntentKind
from contracts.rollout import Act, Aliases, Evidence, GatewayView, ModelRef, Phase, RolloutState, Route, Submission, fresh_state
from contracts.spec import RolloutSpec
from contracts.verdict import Outcome, Verdict
from rollout.reconcile import desired_aliases, reconcile

START = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = RolloutSpec.model_validate(
    {"stages": [{"kind": "shadow", "loss": "absolute_error", "max_duration": "14d"}], "watch": "7d", "max_errors": 2}
)
TWO_STAGES = SPEC.model_copy(update={"stages": [SPEC.stages[0], SPEC.stages[0]]})
EXPOSING = RolloutSpec.model_validate(
    {
        "stages": [
            {"kind": "shadow", "loss": "absolute_error"},
            {"kind": "ab", "share": 0.25, "reward": "profit", "min_duration": "1d"},
            {"kind": "bandit", "share": 0.3, "reward": "profit", "floor": 0.1, "reallocate": "1h"},
        ],
        "max_errors": 2,
    }
)
MANUAL = SPEC.model_copy(update={"promotion": "manual"})


def model(version: int) -> ModelRef:
    return ModelRef(str(version), f"digest-{version}", f"file:///models/{version}", "s1", START)


def verdict(outcome: Outcome) -> Verdict:
    return Verdict("paired absolute_error", outcome, 1.0, 0.0, 20, f"it is {outcome.name}")


def asked(version: int) -> Submission:
    return Submission(version, model(version), START, "schedule", "due", "cron")


def seen(state: RolloutState, *outcomes: Outcome, epoch: int | None = None, **more: object) -> Evidence:
    """Return evidence from a world in which every action of `state` was carried out."""
    gateways = (GatewayView("g", state.epoch, state.champion.version, START),) if state.champion else ()
    world = Evidence(state.epoch if epoch is None else epoch, desired_aliases(state), (), (), gateways, None, tuple(map(verdict, outcomes)))
    return replace(world, **more)  # type: ignore[arg-type]  # test shorthand


def running(spec: RolloutSpec = SPEC) -> RolloutState:
    state = reconcile(spec, fresh_state("p"), Evidence(0, submissions=(asked(1),)), START).state
    return reconcile(spec, state, seen(state, submissions=(asked(2),)), START).state


def watching() -> RolloutState:
    state = reconcile(SPEC, running(), seen(running(), Outcome.PASS), START).state
    return reconcile(SPEC, state, seen(state), START).state


def split(stage: int = 1) -> RolloutState:
    """Return a rollout in its A/B stage, or in the bandit behind it."""
    state, now = running(EXPOSING), START
    for _ in range(stage):
        now += timedelta(days=1)
        state = reconcile(EXPOSING, state, seen(state, Outcome.PASS), now).state
    return state


def intent(kind: IntentKind) -> Evidence:
    return Evidence(0, intents=(Intent(9, kind, "ada", "I say so", START),))


def test_the_first_champion_needs_only_its_absolute_gates_and_the_decision_says_so() -> None:
    decision = reconcile(SPEC, fresh_state("p"), Evidence(0, submissions=(asked(1),)), START)
    assert decision.act is Act.BOOTSTRAP
    assert decision.state.champion == model(1)
    assert decision.submissions == (1,)
    assert "only its absolute offline gates" in decision.reason


def test_a_candidate_starts_in_shadow_under_a_new_epoch_and_no_user_sees_it() -> None:
    state = running()
    assert (state.phase, state.epoch, state.route.share) == (Phase.RUNNING, 2, 0.0)
    assert (state.champion, state.route.shadow) == (model(1), model(2))


@pytest.mark.parametrize(
    ("outcomes", "act"),
    [
        ((Outcome.PASS,), Act.PROMOTE),
        ((Outcome.PASS, Outcome.INCONCLUSIVE), Act.HOLD),
        ((), Act.HOLD),
        ((Outcome.PASS, Outcome.FAIL), Act.ABORT),
        ((Outcome.ERROR, Outcome.FAIL), Act.ABORT),
        ((Outcome.PASS, Outcome.ERROR), Act.REPAIR),
    ],
)
def test_the_worst_verdict_decides(outcomes: tuple[Outcome, ...], act: Act) -> None:
    assert reconcile(SPEC, running(), seen(running(), *outcomes), START).act is act


def test_evidence_of_another_epoch_counts_for_nothing() -> None:
    for epoch in (0, 1, 3):
        assert reconcile(SPEC, running(), seen(running(), Outcome.PASS, epoch=epoch), START).act is Act.HOLD
        assert reconcile(SPEC, running(), seen(running(), Outcome.FAIL, epoch=epoch), START).act is Act.HOLD


def test_nothing_is_judged_while_a_gateway_has_another_route() -> None:
    late = seen(running(), Outcome.PASS, gateways=(GatewayView("g", 1, "1", START),))
    decision = reconcile(SPEC, running(), late, START)
    assert decision.act is Act.HOLD
    assert "sent again" in decision.reason


def test_errors_pause_only_after_the_set_number_in_a_row() -> None:
    state = running()
    first = reconcile(SPEC, state, seen(state, Outcome.ERROR), START)
    assert (first.act, first.state.phase) == (Act.REPAIR, Phase.RUNNING)
    second = reconcile(SPEC, first.state, seen(first.state, Outcome.ERROR), START)
    assert (second.act, second.state.phase, second.state.paused_from) == (Act.PAUSE, Phase.PAUSED, Phase.RUNNING)


def test_errors_that_are_not_in_a_row_pause_nothing() -> None:
    state = running()
    for _ in range(3):
        state = reconcile(SPEC, state, seen(state, Outcome.ERROR), START).state
        again = reconcile(SPEC, state, seen(state, Outcome.INCONCLUSIVE), START)
        assert (again.act, again.state.errors_in_row, again.state.phase) == (Act.REPAIR, 0, Phase.RUNNING)
        state = again.state
    assert reconcile(SPEC, state, seen(state, Outcome.INCONCLUSIVE), START).act is Act.HOLD


def test_a_clock_that_went_back_begins_the_times_anew_and_ends_nothing() -> None:
    earlier = START - timedelta(days=300)
    for state in (running(), watching()):
        back = reconcile(SPEC, state, seen(state, Outcome.PASS), earlier)
        assert (back.act, back.state.phase, back.state.phase_since) == (Act.REPAIR, state.phase, earlier)
        assert reconcile(SPEC, back.state, seen(back.state), earlier + timedelta(days=14)).act in {Act.ABORT, Act.FINISH}
    a_little = reconcile(SPEC, running(), seen(running(), Outcome.PASS), START - timedelta(seconds=30))
    assert a_little.act is Act.PROMOTE


def test_silence_past_the_longest_time_aborts_and_says_that_nothing_was_measured() -> None:
    late = START + timedelta(days=14)
    decision = reconcile(SPEC, running(), seen(running()), late)
    assert decision.act is Act.ABORT
    assert "nothing was measured" in decision.reason
    held_up = seen(running(), Outcome.PASS, Outcome.INCONCLUSIVE)
    assert reconcile(SPEC, running(), held_up, late).reason.endswith("14 days, 0:00:00: it is INCONCLUSIVE")


def test_a_newer_candidate_supersedes_one_still_in_shadow() -> None:
    decision = reconcile(SPEC, running(), seen(running(), submissions=(asked(3),)), START)
    assert (decision.act, decision.state.candidate, decision.state.epoch) == (Act.SUPERSEDE, model(3), 3)


def test_every_stage_must_pass_before_promotion() -> None:
    state = running(TWO_STAGES)
    first = reconcile(TWO_STAGES, state, seen(state, Outcome.PASS), START)
    assert (first.act, first.state.stage) == (Act.ADVANCE, 1)
    assert reconcile(TWO_STAGES, first.state, seen(first.state, Outcome.PASS), START).act is Act.PROMOTE


def test_after_the_shadow_the_candidate_answers_its_share_under_a_new_epoch_and_follows_the_log_no_more() -> None:
    state = split()
    assert [(arm.name, arm.model, arm.share) for arm in state.route.arms] == [("champion", model(1), 0.75), ("candidate", model(2), 0.25)]
    assert (state.route.share, state.route.shadow, state.champion, state.epoch) == (0.25, None, model(1), 3)
    assert state.route.arms_since == 3
    assert state.route.salt == "p/2/3"


def test_stages_lead_from_shadow_over_split_and_bandit_to_promotion_each_after_its_least_time() -> None:
    state = split()
    soon = START + timedelta(days=1, hours=23)
    assert reconcile(EXPOSING, state, seen(state, Outcome.PASS), soon).act is Act.HOLD
    bandit = reconcile(EXPOSING, state, seen(state, Outcome.PASS), START + timedelta(days=2))
    assert (bandit.act, bandit.state.stage, bandit.state.route.share, bandit.state.epoch) == (Act.ADVANCE, 2, 0.3, 4)
    assert bandit.state.route.salt != state.route.salt
    done = reconcile(EXPOSING, bandit.state, seen(bandit.state, Outcome.PASS), START + timedelta(days=2))
    assert (done.act, done.state.route) == (Act.PROMOTE, Route(5, model(2), model(1)))


@pytest.mark.parametrize("paused", [False, True])
def test_a_failure_during_exposure_takes_every_user_back_at_once_even_while_paused(paused: bool) -> None:
    state = split()
    if paused:
        state = reconcile(EXPOSING, state, intent(IntentKind.PAUSE), START + timedelta(days=1)).state
        assert (state.phase, state.route.share) == (Phase.PAUSED, 0.25)
    decision = reconcile(EXPOSING, state, seen(state, Outcome.PASS, Outcome.FAIL), START + timedelta(days=1))
    assert (decision.act, decision.state.route, decision.state.candidate) == (Act.ABORT, Route(4, model(1), None), None)


def test_a_candidate_that_serves_users_is_not_superseded_but_waited_for() -> None:
    decision = reconcile(EXPOSING, split(), seen(split(), submissions=(asked(3),)), START + timedelta(days=1))
    assert (decision.act, decision.submissions) == (Act.HOLD, ())
    rolled = reconcile(EXPOSING, replace(split(), previous=model(0)), intent(IntentKind.ROLLBACK), START)
    assert (rolled.act, rolled.state.route) == (Act.ROLLBACK, Route(4, model(0), None))


def test_a_bandits_shares_move_when_that_is_due_and_worth_it_under_a_new_epoch_and_a_new_salt() -> None:
    state, wanted = split(2), {"champion": 0.4, "candidate": 0.6}
    later = START + timedelta(days=2, hours=1)
    assert (
        reconcile(EXPOSING, state, seen(state, Outcome.INCONCLUSIVE, shares=wanted), START + timedelta(days=2, minutes=59)).act is Act.HOLD
    )
    assert reconcile(EXPOSING, state, seen(state, epoch=3, shares=wanted), later).act is Act.HOLD
    assert reconcile(EXPOSING, state, seen(state, shares={"champion": 0.705, "candidate": 0.295}), later).act is Act.HOLD
    moved = reconcile(EXPOSING, state, seen(state, Outcome.INCONCLUSIVE, shares=wanted), later)
    assert (moved.act, moved.state.epoch, moved.state.route.share) == (Act.EXPOSE, state.epoch + 1, 0.6)
    assert moved.state.route.arms_since == state.epoch
    assert moved.state.route.salt != state.route.salt
    assert "version 2 (candidate) 60.0%" in moved.reason
    assert moved.state.stage_since == state.stage_since
    assert reconcile(EXPOSING, split(1), seen(split(1), shares=wanted), later).act is Act.HOLD  # an A/B stage has the shares that it has


def test_another_share_in_the_spec_is_another_exposure_whose_evidence_begins_anew() -> None:
    changed = EXPOSING.model_copy(update={"stages": [EXPOSING.stages[0], EXPOSING.stages[1].model_copy(update={"share": 0.5})]})
    decision = reconcile(changed, split(), seen(split(), Outcome.PASS), START + timedelta(days=3))
    assert (decision.act, decision.state.route.share, decision.state.route.arms_since) == (Act.EXPOSE, 0.5, 4)
    only_shadow = EXPOSING.model_copy(update={"stages": EXPOSING.stages[:1]})
    back = reconcile(only_shadow, split(), seen(split(), Outcome.PASS), START + timedelta(days=3)).state
    assert (back.route, back.phase) == (Route(4, model(1), model(2)), Phase.RUNNING)


def test_a_gateway_that_never_takes_the_route_does_not_keep_a_rollout_for_ever() -> None:
    stuck = seen(split(), Outcome.PASS, gateways=(GatewayView("g", 2, "1", START),))
    assert reconcile(EXPOSING, split(), stuck, START + timedelta(days=14)).act is Act.HOLD
    decision = reconcile(EXPOSING, split(), stuck, START + timedelta(days=15))
    assert (decision.act, decision.state.route.share) == (Act.ABORT, 0.0)


def test_manual_promotion_waits_for_a_person_and_names_them() -> None:
    state = running(MANUAL)
    decision = reconcile(MANUAL, state, intent(IntentKind.PROMOTE), START)
    assert (decision.act, decision.actor, decision.intents) == (Act.PROMOTE, "ada", (9,))
    known = replace(intent(IntentKind.PROMOTE), epoch=state.epoch, verdicts=(verdict(Outcome.PASS),))
    assert reconcile(MANUAL, state, known, START).verdicts == (verdict(Outcome.PASS),)  # what they could see when they asked


def test_after_promotion_the_roles_are_swapped_not_dropped() -> None:
    state = watching()
    assert (state.phase, state.champion, state.previous, state.route.shadow) == (Phase.WATCHING, model(2), model(1), model(1))


def test_a_new_champion_that_fails_its_watch_is_rolled_back() -> None:
    decision = reconcile(SPEC, watching(), seen(watching(), Outcome.FAIL), START)
    assert (decision.act, decision.state.champion) == (Act.ROLLBACK, model(1))


def test_the_watch_ends_only_after_its_time() -> None:
    assert reconcile(SPEC, watching(), seen(watching(), Outcome.PASS), START + timedelta(days=6)).act is Act.HOLD
    assert reconcile(SPEC, watching(), seen(watching()), START + timedelta(days=7)).state.phase is Phase.IDLE


def test_a_champion_moved_by_someone_else_ends_the_rollout() -> None:
    decision = reconcile(SPEC, running(), seen(running(), Outcome.PASS, aliases=Aliases("77", "2", None)), START)
    assert (decision.act, decision.state.champion) == (Act.ABORT, model(1))


def test_an_operators_roll_back_works_while_watching_and_long_after() -> None:
    for state in (watching(), replace(watching(), phase=Phase.IDLE)):
        decision = reconcile(SPEC, state, intent(IntentKind.ROLLBACK), START)
        assert (decision.act, decision.state.champion, decision.actor) == (Act.ROLLBACK, model(1), "ada")


@pytest.mark.parametrize("kind", list(IntentKind))
def test_an_intent_that_cannot_be_followed_is_declined_and_consumed(kind: IntentKind) -> None:
    decision = reconcile(SPEC, fresh_state("p"), intent(kind), START)
    assert (decision.act, decision.intents, decision.state.route) == (Act.DECLINE, (9,), Route(0, None, None))


Event = tuple[Outcome | None, IntentKind | None, bool, bool, int, int]
EVENT: tuple[list[Any], ...] = (
    [*Outcome, None],  # what is measured
    [*IntentKind, *[None] * 12],  # what an operator asks
    [True, False],  # a new version is submitted
    [True, True, True, False],  # the actions were carried out
    [0, 0, 0, -1, 1],  # from which epoch the evidence is
    [0, 1, 2, 3, 5, 20, -400],  # days that pass; a replay may begin again in the past
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(*map(st.sampled_from, EVENT)), max_size=60))
def test_no_history_breaks_the_promises(history: list[Event]) -> None:
    assert _play(SPEC, history).phase is Phase.IDLE


@pytest.mark.parametrize("spec", [SPEC, TWO_STAGES, MANUAL, EXPOSING], ids=["one stage", "two stages", "manual", "exposing"])
def test_nor_does_one_of_thousands_drawn_at_random(spec: RolloutSpec) -> None:
    random = Random(20)
    for _ in range(1200):
        history: Any = [tuple(map(random.choice, EVENT)) for _ in range(random.randrange(60))]  # six choices are an Event
        assert _play(spec, history).phase is Phase.IDLE


def _play(spec: RolloutSpec, history: list[Event]) -> RolloutState:
    """Hold every step of a history against the promises; return where it comes to rest."""
    state, world, now, version = fresh_state("p"), fresh_state("p"), START, 0
    waiting: list[Submission] = []
    for number, (outcome, wish, submitted, carried_out, stale, days) in enumerate(history):
        now += timedelta(days=days)
        if submitted:
            version += 1
            waiting.append(asked(version))
        if carried_out:
            world = state
        evidence = seen(
            world,
            *([outcome] if outcome is not None else []),
            epoch=state.epoch + stale,
            submissions=tuple(waiting),
            intents=(Intent(number, wish, "ada", "so", now),) if wish else (),
            shares={"champion": 0.9 - number % 9 / 10, "candidate": 0.1 + number % 9 / 10},
        )
        decision = reconcile(spec, state, evidence, now)
        _promises(state, decision.state, decision.act, evidence, wish)
        assert decision.act is not Act.PROMOTE or spec.promotion == "automatic" or wish is IntentKind.PROMOTE
        waiting = [one for one in waiting if one.id not in decision.submissions]
        state = decision.state
    return _at_rest(spec, state, now)


def _promises(before: RolloutState, after: RolloutState, act: Act, evidence: Evidence, wish: IntentKind | None) -> None:
    assert after.epoch >= before.epoch
    assert after.revision == before.revision + (act is not Act.HOLD)
    exposed = replace(before.route, epoch=0) != replace(after.route, epoch=0)
    assert not exposed or after.epoch == before.epoch + 1
    assert after.champion is None or after.champion != after.candidate
    assert before.champion is None or after.champion is not None
    met = [arm.model for arm in after.route.arms] or [after.champion, after.route.shadow]
    assert after.phase is not Phase.RUNNING or (after.candidate is not None and met == [after.champion, after.candidate])
    assert not after.route.arms or after.phase in {Phase.RUNNING, Phase.PAUSED}
    assert abs(sum(arm.share for arm in after.route.arms) - bool(after.route.arms)) < 1e-9
    assert not before.route.arms or act is not Act.SUPERSEDE
    if act is Act.PROMOTE and wish is not IntentKind.PROMOTE:
        assert evidence.epoch == before.epoch
        assert [one.outcome for one in evidence.verdicts] == [Outcome.PASS]
        assert evidence.aliases == desired_aliases(before)
    if after.champion != before.champion and before.champion is not None:
        assert act in {Act.PROMOTE, Act.ROLLBACK}


def _at_rest(spec: RolloutSpec, state: RolloutState, now: datetime) -> RolloutState:
    """Return where ticks whose actions are carried out lead, from wherever a history stopped."""
    if state.phase is Phase.PAUSED:
        state = reconcile(spec, state, replace(seen(state), intents=intent(IntentKind.RESUME).intents), now).state
    for _ in range(8):
        now += timedelta(days=15)
        state = reconcile(spec, state, seen(state), now).state
    return state
