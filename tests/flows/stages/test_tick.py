"""Ticks on a real ledger, traffic log and MLflow registry: evidence decides, lost actions come again, nothing is waited for in vain."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.ledger import Ledger
from adapters.ledger.overview import overview
from adapters.traffic_holes import HoleMarker
from contracts.errors import Conflict, OutsideError
from contracts.events import Intent, IntentKind
from contracts.package import MANIFEST, Manifest, package_digest
from contracts.rollout import Act, Aliases, Basis, Decision, DecisionRecord, GatewayView, ModelRef, Phase
from contracts.traffic import AnsweredBatch, ShadowBatch
from contracts.verdict import Outcome, Verdict
from flows.stages.recall import confidence_path
from flows.stages.tick import TickResult, tick
from tests.flows.stages.rollout_world import HOUR, LONG_AGO, START, TRIGGER, World, five_versions

# MLflow's own store speaks an older SQLAlchemy
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return five_versions(tmp_path_factory)


@pytest.fixture
def world(tmp_path: Path, mlflow: Path) -> World:
    return World(tmp_path, mlflow)


@pytest.fixture
def served(world: World) -> World:
    """Version 1 is champion and has answered and learnt the truth for thirty days."""
    world.submit("1", error=10.0)
    assert world.settle() == ["bootstrap"]
    world.serve(30 * 24)
    return world


def gate(result: TickResult, name: str = "paired absolute_error") -> Verdict:
    return next(one for one in result.evidence.verdicts if one.gate == name)


def test_a_better_candidate_is_promoted_watched_and_kept_and_the_registry_follows(served: World) -> None:
    served.submit("2", error=5.0)
    assert served.settle() == ["start", "promote", "watch"]
    assert served.registry.aliases("sales") == Aliases("2", None, "1")
    assert (served.state.phase, served.state.route.shadow) == (Phase.WATCHING, served.model("1"))
    promoted = next(one for one in served.ledger.decisions("sales") if one.act is Act.PROMOTE)
    assert {one.gate: one.outcome for one in promoted.verdicts} == {
        "paired absolute_error": Outcome.PASS, "label_coverage": Outcome.PASS, "error_rate": Outcome.PASS, "non_finite": Outcome.PASS,
        "shadow": Outcome.PASS,
    }  # fmt: skip
    assert promoted.clock == START + (30 * 24 - 1) * HOUR
    served.serve(7 * 24)
    assert served.settle() == ["finish"]
    assert (served.state.phase, served.state.champion) == (Phase.IDLE, served.model("2"))


def test_a_worse_candidate_is_taken_out_with_its_numbers_and_no_user_saw_it(served: World) -> None:
    served.submit("2", error=14.0)
    assert served.settle() == ["start", "abort", "finish"]
    assert served.registry.aliases("sales") == Aliases("1", None, None)
    record = next(one for one in served.ledger.decisions("sales") if one.act is Act.ABORT)
    assert "version 2 has" in record.reason
    assert "more absolute_error per request than version 1 (29 blocks" in record.reason
    steps = confidence_path(served.settings, served.pipeline, served.ledger, record)
    assert steps is not None
    assert (steps.version, steps.blocks[-1], steps.upper[-1]) == ("2", 29, record.verdicts[0].upper)


def test_a_leaky_candidate_is_judged_only_on_rows_after_its_cutoff(served: World) -> None:
    known = 20 * 24
    served.by_heart["2"] = known  # without a mistake on what it was fitted on, worse than the champion on what came after
    served.submit("2", error=14.0, cutoff=START + (known - 1) * HOUR)
    assert served.settle() == ["start", "abort", "finish"]
    found = next(one for one in served.ledger.decisions("sales") if one.act is Act.ABORT).verdicts[0]
    assert (found.outcome, found.samples) == (Outcome.FAIL, 9)
    assert found.observed == pytest.approx(-4.0, abs=0.3)


def test_what_is_not_known_yet_is_not_waited_for_in_one_tick_and_passes_in_a_later_one(served: World) -> None:
    served.submit("2", error=5.0, cutoff=START + 25 * 24 * HOUR)
    assert served.settle() == ["start"]
    assert "4 of at least 8 complete blocks" in gate(served.tick()).reason
    served.serve(4 * 24)
    assert served.settle() == ["promote", "watch"]


def test_a_block_counts_only_when_its_last_label_is_due(served: World) -> None:
    served.submit("2", error=10.0)
    assert served.settle() == ["start"]
    for hours, blocks in ((0, 29), (1, 29), (1, 30)):  # the thirtieth day is over after one more hour, its label known after another
        served.serve(hours)
        assert gate(served.tick()).samples == blocks


def test_nobody_is_promoted_over_a_hole_in_the_log_and_the_evidence_says_so(served: World) -> None:
    marker = HoleMarker(served.settings.traffic / "sales")
    marker.lost(12, "No space left on device")
    served.submit("2", error=5.0)
    assert served.settle() == ["start"]
    verdicts = {one.gate: one for one in served.tick().evidence.verdicts}
    assert (gate(served.tick()).outcome, verdicts["traffic_log"].outcome) == (Outcome.PASS, Outcome.INCONCLUSIVE)
    shown = {one["gate"]: one for one in overview(served.ledger, "sales")["evidence"]}
    assert shown["traffic_log"]["reason"].startswith("12 rows answered between")


def test_labels_that_change_count_once_at_their_last_value(served: World) -> None:
    served.label([f"r{number}" for number in range(served.hours)], 112.0, received_at=9)  # the truth was mended: version 1 is nearer
    served.submit("2", error=5.0)
    assert served.settle() == ["start", "abort", "finish"]


class Killed(BaseException):
    """A process that dies here."""


class DiesBeforeActing:
    """The real registry, in a process that is killed when it is about to move an alias."""

    def __init__(self, registry: Any) -> None:
        self.registry = registry

    def aliases(self, pipeline: str) -> Aliases:
        found: Aliases = self.registry.aliases(pipeline)
        return found

    def move_aliases(self, pipeline: str, wanted: Aliases) -> None:
        raise Killed


def test_a_process_killed_between_saving_and_acting_loses_nothing(served: World) -> None:
    served.submit("2", error=5.0)
    for expected in (Act.START, Act.PROMOTE):
        served.gateway()
        with pytest.raises(Killed):
            served.tick(registry=DiesBeforeActing(served.registry))
        saved = served.ledger.decisions("sales")[0]
        assert saved.act is expected
        served.gateway()
        served.follow()
        again = served.tick()  # another process: it judges nothing, it only sends again
        assert again.decision.act is Act.HOLD
        assert "sent again" in again.decision.reason
        assert served.ledger.decisions("sales")[0] == saved
    assert served.registry.aliases("sales") == Aliases("2", None, "1")


class Away:
    """A registry that nobody can reach."""

    def aliases(self, pipeline: str) -> Aliases:
        raise OutsideError("MLflow is away.")

    def move_aliases(self, pipeline: str, wanted: Aliases) -> None:
        raise OutsideError("MLflow is away.")


def watched(world: World, error: float = 5.0) -> World:
    world.submit("2", error=error)
    assert world.settle() == ["start", "promote", "watch"]
    return world


def test_a_champion_that_turns_bad_is_rolled_back_even_while_the_registry_is_away(served: World) -> None:
    watched(served)
    served.errors["2"] = 15.0  # the world changed
    served.serve(5 * 24)
    done = served.tick(registry=Away())
    assert done.decision.act is Act.ROLLBACK
    assert done.outside == ("The registry's aliases were not moved: MLflow is away.",)
    assert served.state.champion == served.model("1")
    assert served.settle() == ["finish"]
    assert served.registry.aliases("sales") == Aliases("1", None, None)


def test_without_the_registry_nothing_is_promoted_and_the_tick_says_why(served: World) -> None:
    served.submit("2", error=5.0)
    served.gateway()
    served.tick()
    served.follow()
    done = served.tick(registry=Away())
    assert done.decision.act is Act.HOLD
    assert done.outside[0] == "The registry's aliases could not be read: MLflow is away."


def test_under_watch_evidence_of_the_rehearsal_counts_for_nothing(served: World) -> None:
    watched(served)
    served.serve(2 * 24)
    found = gate(served.tick())
    assert (found.outcome, found.samples) == (Outcome.INCONCLUSIVE, 4)  # blocks of 10.5 hours since the promotion, not thirty days


def test_failures_of_the_new_champion_roll_it_back(served: World) -> None:
    watched(served)
    served.serve(24)
    served.fail(20)
    done = served.tick()
    assert done.decision.act is Act.ROLLBACK
    assert "version 2 failed 20 of 44 times" in done.decision.reason


def test_a_dead_candidate_pauses_the_rollout_after_the_set_number_of_ticks_and_resume_goes_on(served: World) -> None:
    served.shadow_works = False
    served.submit("2", error=5.0)
    served.settle(1)
    dead = datetime.now(UTC) - timedelta(minutes=5)
    acts = []
    for _ in range(3):
        served.gateway()
        served.report_shadow(rows=10, lag_rows=700, seen_at=dead)
        acts.append(served.tick().decision.act)
    assert acts == [Act.REPAIR, Act.REPAIR, Act.PAUSE]
    assert "measurement failed 3 times in a row: version 2 in shadow was last heard of" in served.ledger.decisions("sales")[0].reason
    served.shadow_works = True
    served.ledger.add_intent("sales", IntentKind.RESUME, "ada", "restarted it")
    assert served.settle() == ["resume", "promote", "watch"]


def test_a_candidate_that_lags_but_moves_is_waited_for_and_the_count_of_errors_begins_anew(served: World) -> None:
    served.shadow_works = False
    served.submit("2", error=5.0)
    served.settle(1)
    dead = datetime.now(UTC) - timedelta(minutes=5)
    acts = []
    for rows in (10, 10, 20, 20, 20, 30):
        served.gateway()
        served.report_shadow(rows=rows, lag_rows=700, seen_at=dead)
        acts.append(served.tick().decision.act.value)
    assert acts == ["repair", "repair", "repair", "repair", "repair", "repair"]
    assert served.state.errors_in_row == 0
    served.report_shadow(rows=30, lag_rows=700)
    assert served.tick().decision.act is Act.HOLD


class Untouchable:
    """A registry that an operator's decision must not wait for."""

    def aliases(self, pipeline: str) -> Aliases:
        raise AssertionError("asked before the operator was answered")

    def move_aliases(self, pipeline: str, wanted: Aliases) -> None:
        assert wanted == Aliases("1", None, None)


def test_an_operators_roll_back_asks_neither_the_registry_nor_the_evidence_first(served: World) -> None:
    watched(served)
    served.ledger.add_intent("sales", IntentKind.ROLLBACK, "ada@desk", "complaints")
    done = served.tick(registry=Untouchable())
    assert (done.decision.act, done.record and done.record.actor) == (Act.ROLLBACK, "ada@desk")


def test_an_operators_promotion_is_kept_with_what_was_measured_when_it_was_asked_for(served: World) -> None:
    served.spec["rollout"]["promotion"] = "manual"
    served.pipeline = replace(served.pipeline, spec=type(served.pipeline.spec).model_validate(served.spec))
    served.submit("2", error=5.0)
    assert served.settle() == ["start", "ask"]
    asked = served.ledger.add_intent("sales", IntentKind.PROMOTE, "ada", "looks good")
    done = served.tick()
    assert done.record is not None
    assert (done.record.act, done.record.verdicts[0].outcome, done.record.verdicts[0].samples) == (Act.PROMOTE, Outcome.PASS, 29)
    assert served.ledger.answer_to(asked, "sales") == done.record


def test_what_a_tick_measured_is_kept_whether_or_not_it_decided(served: World) -> None:
    served.submit("2", error=10.0)
    served.settle()
    seen = served.ledger.evidence("sales")
    assert seen is not None
    assert (seen.epoch, seen.clock, seen.verdicts[0].outcome) == (2, START + (30 * 24 - 1) * HOUR, Outcome.INCONCLUSIVE)
    assert seen.steps is not None, "for the page"
    assert (seen.steps.version, seen.steps.blocks[-1], seen.steps.mean[-1]) == ("2", seen.verdicts[0].samples, seen.verdicts[0].observed)


class Contended(Ledger):
    """A ledger in which somebody else decides just before we do, so many times."""

    times = 1

    def save(self, decision: Decision, clock: datetime, basis: Basis | None = None) -> DecisionRecord:
        if self.times:
            self.times -= 1
            state = self.state("sales")
            other = replace(state, revision=state.revision + 1)
            super().save(Decision(Act.DECLINE, other, "somebody else was quicker"), clock)
        return super().save(decision, clock, basis)


def test_a_lost_race_is_read_again_once_and_then_told(served: World) -> None:
    ledger = Contended(served.settings.ledger_url)
    served.submit("2", error=5.0)
    assert served.tick(ledger=ledger).decision.act is Act.START
    assert served.acts == ["bootstrap", "decline", "start"]
    served.submit("3", error=5.0)
    ledger.times = 2
    served.gateway()
    with pytest.raises(Conflict):
        served.tick(ledger=ledger)


class InMemory:
    """A stand-in for the registry, of this test only: the race is about the ledger, and MLflow has no compare-and-swap to race on."""

    def __init__(self) -> None:
        self.now = Aliases()

    def aliases(self, pipeline: str) -> Aliases:
        return self.now

    def move_aliases(self, pipeline: str, wanted: Aliases) -> None:
        self.now = wanted


def reconciler(world: World, registry: InMemory, seed: int) -> list[Intent]:
    """Tick forty times among operators and retrains; return what was asked."""
    random, ledger, asked = Random(seed), Ledger(world.settings.ledger_url), []
    for number in range(40):
        if random.random() < 0.15:
            ledger.submit("sales", world.model(str(100 * seed + number)), (), TRIGGER)
        if random.random() < 0.3:
            asked.append(ledger.add_intent("sales", random.choice(list(IntentKind)), f"operator {seed}", "changed my mind"))
        with contextlib.suppress(Conflict):  # lost twice in a row: the next tick looks again
            tick(world.settings, world.pipeline, registry, ledger)  # type: ignore[arg-type]  # the stand-in above
    ledger.close()
    return asked


def test_two_reconcilers_at_once_never_make_two_champions_and_answer_everything_once(served: World) -> None:
    registry = InMemory()
    with ThreadPoolExecutor(2) as both:
        asked = [one for many in both.map(lambda seed: reconciler(served, registry, seed), (1, 2)) for one in many]
    records = served.ledger.decisions("sales", limit=1000)[::-1]
    assert [one.revision for one in records] == list(range(1, len(records) + 1))
    assert [one.epoch for one in records] == sorted(one.epoch for one in records)
    answers = [served.ledger.answer_to(one, "sales") for one in asked]
    answered = [one.id for one in answers if one is not None]
    assert len(answered) == len(set(answered)) == sum(one.actor.startswith("operator") for one in records) > 10
    taken_up = [one.version for one in records if one.act in {Act.BOOTSTRAP, Act.START, Act.SUPERSEDE}]
    assert len(taken_up) == len(set(taken_up))
    crowned = [one.version for one in records if one.act in {Act.BOOTSTRAP, Act.PROMOTE, Act.ROLLBACK}]
    assert served.state.champion is not None
    assert served.state.champion.version == crowned[-1]


def test_a_gateway_that_went_silent_is_not_waited_for_and_a_live_one_with_another_route_is(served: World) -> None:
    served.submit("2", error=5.0)
    served.settle(1)
    served.follow()
    assert served.tick().decision.reason.startswith("the route or the aliases are not yet as desired")
    served.ledger.report_gateway("sales", GatewayView("g1", 1, "1", datetime.now(UTC) - timedelta(seconds=11)))
    assert served.tick().decision.act is Act.PROMOTE


def package(folder: Path, version: str, classes: tuple[str, ...]) -> ModelRef:
    manifest = Manifest(
        pipeline="sales", task="multiclass", target="y", columns={"x": "float"}, classes=classes, cutoff=LONG_AGO.isoformat()
    )
    content = manifest.model_dump_json().encode()
    folder.mkdir()
    (folder / MANIFEST).write_bytes(content)
    return ModelRef(version, package_digest({MANIFEST: content}), folder.as_uri(), "s1", LONG_AGO)


def test_class_labels_are_read_by_each_versions_own_manifest(tmp_path: Path, world: World) -> None:
    world.spec["task"], world.spec["gates"] = "multiclass", [{"metric": "accuracy", "min": 0.1}]
    world.spec["rollout"]["stages"][0]["loss"] = "log_loss"
    champion, candidate = package(tmp_path / "m1", "1", ("hi", "lo")), package(tmp_path / "m2", "2", ("lo", "mid", "hi"))
    world.ledger.submit("sales", champion, (), TRIGGER)
    world.settle()
    world.ledger.submit("sales", candidate, (), TRIGGER)
    world.gateway()
    world.tick()
    names = [f"r{number}" for number in range(30 * 24)]
    for number, name in enumerate(names):
        time = int((START + number * HOUR).timestamp() * 1e6)
        surer = 0.7 + 0.001 * (number % 7)
        world.log.append(AnsweredBatch("sales", "1", 1, "champion", 1, 0, 9, [name], [0], [time], [None], {}, [[0.4, 0.6]]))
        world.log.append(ShadowBatch("sales", "2", 2, 0, 9, [name], [0], [[0.1, 0.9 - surer, surer]]))
    world.label(names, "hi")
    world.label(names[::20], "lo", received_at=2)
    world.report_shadow(rows=len(names))
    world.gateway()
    back = world.tick()  # the candidate started by the wall's clock: there was no traffic to tell another
    assert (back.decision.act, back.decision.reason[:20]) == (Act.REPAIR, "the clock went back ")
    done = world.tick()
    assert done.decision.act is Act.PROMOTE
    assert gate(done, "paired log_loss").observed == pytest.approx(0.4460, abs=1e-3)  # 0.95 (ln 0.703 - ln 0.4) + 0.05 (ln 0.1 - ln 0.6)


def test_a_package_that_is_not_to_be_had_is_an_error_of_measurement(tmp_path: Path, world: World) -> None:
    world.spec["task"], world.spec["gates"] = "binary", [{"metric": "brier", "max": 1}]
    world.spec["rollout"]["stages"][0]["loss"] = "brier"
    world.submit("1", error=0.0)
    world.settle()
    world.submit("2", error=0.0)
    world.gateway()
    world.tick()
    world.report_shadow()
    world.gateway()
    done = world.tick()
    assert (done.decision.act, gate(done, "measurement").outcome) == (Act.REPAIR, Outcome.ERROR)
