"""explain --recompute on decisions of A/B and bandit stages: the log gives the same numbers, or what differs is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.traffic_log import TrafficLog, epoch_us
from contracts.events import IntentKind
from contracts.rollout import Act, DecisionRecord
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch
from tests.flows.stages.rollout_world import five_versions
from tests.flows.stages.split_world import Split
from understudy.main import main

# MLflow's own store speaks an older SQLAlchemy
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """Version 2 was promoted by A/B and bandit; every decision was made by real ticks."""
    world = Split(tmp_path_factory.mktemp("exposed"), five_versions(tmp_path_factory)).rehearsed()
    better = {"1": 1.0, "2": 2.0}
    world.users(30, better)
    assert world.settle() == ["advance"]
    for _ in range(8):
        world.users(7, better)
        if "promote" in world.settle():
            return world
    raise AssertionError(world.acts)


@dataclass
class Office:
    """A copy of that home, to be tampered with."""

    world: Split
    home: Path
    heard: pytest.CaptureFixture[str]

    @property
    def log(self) -> TrafficLog:
        return TrafficLog(self.home / "traffic" / "sales")

    def decision(self, act: Act, stage: int) -> DecisionRecord:
        """Return the last decision of this kind that was made in a stage."""
        made = (one for one in self.world.ledger.decisions("sales") if one.act is act)
        return next(one for one in made if one.basis is not None and one.basis.state.stage == stage)

    def explain(self, one: DecisionRecord) -> tuple[int, dict[str, Any]]:
        code, place = 0, ["--home", str(self.home), "--pipelines", str(self.world.settings.pipelines)]
        try:
            main([*place, "--json", "explain", "sales", str(one.id), "--recompute"])
        except SystemExit as left:
            code = int(left.code or 0)
        return code, json.loads(self.heard.readouterr().out)["recomputed"]


@pytest.fixture
def office(lived: Split, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    shutil.copytree(lived.settings.home, tmp_path / "home")
    return Office(lived, tmp_path / "home", capsys)


def test_every_decision_on_exposure_is_computed_again_number_by_number_whatever_came_later(office: Office) -> None:
    now = epoch_us(datetime.now(UTC))
    late = ["later"]
    office.log.append(AnsweredBatch("sales", "2", 4, "candidate", 0.5, now, 9, late, [0], [now], late, {}, [1.0]))
    office.log.append(FeedbackBatch("sales", now, ["u7200"], [0], [100.0], [{"profit": 900.0}], [now]))
    office.log.append(FailedBatch("sales", "2", 4, now, ["f"], "MemoryError"))
    for act, stage in ((Act.ADVANCE, 1), (Act.EXPOSE, 2), (Act.PROMOTE, 2)):
        one = office.decision(act, stage)
        code, again = office.explain(one)
        assert (code, again["differs"]) == (0, [])
        assert [verdict["gate"] for verdict in again["verdicts"]] == [verdict.gate for verdict in one.verdicts]
        assert [verdict["observed"] for verdict in again["verdicts"]] == pytest.approx([verdict.observed for verdict in one.verdicts])


def test_a_reallocation_is_held_to_the_shares_it_gave_and_to_what_the_candidate_alone_would_earn(office: Office) -> None:
    one = office.decision(Act.EXPOSE, 2)
    _, again = office.explain(one)
    shares = {name: value for name, value in again["beside"].items() if name.startswith("share")}
    assert f"(candidate) {shares['share of the candidate']:.1%}" in one.reason
    assert sum(shares.values()) == pytest.approx(1.0)
    promoted = office.decision(Act.PROMOTE, 2)
    alone = office.explain(promoted)[1]["beside"]
    assert f"candidate {alone['IPS']:.4g} per unit by IPS ({alone['IPS, lower']:.4g} to {alone['IPS, upper']:.4g})" in promoted.reason


def a_reward(office: Office) -> None:
    """A reward is raised, as if it had been known then."""
    office.log.append(FeedbackBatch("sales", 2, ["u7200"], [0], [100.0], [{"profit": 900.0}], [2]))


def failures(office: Office) -> None:
    """Failures of the candidate are slipped in."""
    epoch = office.decision(Act.ADVANCE, 1).epoch - 1
    for number in range(3):
        office.log.append(FailedBatch("sales", "2", epoch, 0, [f"f{number}"], "MemoryError"))


def users(office: Office) -> None:
    """Users of one arm are added who never came."""
    epoch = office.decision(Act.ADVANCE, 1).epoch - 1
    for number in range(100):
        name, time = [f"x{number}"], [epoch_us(datetime(2012, 2, 1, tzinfo=UTC))]
        office.log.append(AnsweredBatch("sales", "1", epoch, "champion", 0.75, 0, 9, name, [0], time, name, {}, [1.0]))


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (a_reward, {"profit"}),
        (failures, {"error_rate"}),
        (users, {"sample ratio"}),
    ],
)
def test_an_altered_log_is_found_out_by_the_gate_that_rests_on_it(
    office: Office, tamper: Callable[[Office], None], named: set[str]
) -> None:
    tamper(office)
    code, again = office.explain(office.decision(Act.ADVANCE, 1))
    assert code == 1
    assert {said.split(":")[0] for said in again["differs"]} == named


def test_a_lost_segment_is_found_out_and_so_are_the_shares_that_it_would_have_changed(office: Office) -> None:
    exposed, promoted = office.decision(Act.EXPOSE, 2), office.decision(Act.PROMOTE, 2)
    for segment in (office.home / "traffic" / "sales" / "feedback").glob("*.seg"):
        segment.unlink()
    for one, names in (
        (exposed, ["share of the candidate was 0.", "off-policy profit: "]),
        (promoted, ["IPS was 2.", "off-policy profit: "]),
    ):
        code, again = office.explain(one)
        assert code == 1
        for name in names:
            assert any(said.startswith(name) for said in again["differs"]), again["differs"]


def test_an_operators_abort_of_an_exposure_rests_on_what_was_measured_last(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    world = Split(tmp_path, five_versions(tmp_path_factory)).rehearsed()
    world.users(2, {"1": 1.0, "2": 1.0})
    assert world.settle() == []
    world.ledger.add_intent("sales", IntentKind.ABORT, "ada", "I say so")
    assert world.settle(1) == ["abort"]
    office = Office(world, world.settings.home, capsys)
    code, again = office.explain(office.decision(Act.ABORT, 1))
    assert (code, again["differs"], len(again["verdicts"])) == (0, [], 3)


def test_the_page_of_all_decisions_has_each_with_its_evidence_plot_states_and_actor(office: Office, tmp_path: Path) -> None:
    page = tmp_path / "decisions.html"
    place = ["--home", str(office.home), "--pipelines", str(office.world.settings.pipelines)]
    main([*place, "history", "sales", "--report", str(page)])
    shown = page.read_text()
    records = office.world.ledger.decisions("sales")
    assert [f'id="decision-{one.id}"' in shown for one in records] == [True] * len(records)
    promoted = shown[shown.index(f'id="decision-{office.decision(Act.PROMOTE, 2).id}"') :].split("</details>")[0]
    assert promoted.count("<svg") == 1
    for verdict in office.decision(Act.PROMOTE, 2).verdicts:
        assert f">{verdict.gate}</td>" in promoted
    assert "phase running" in promoted
    assert "by SNIPS" in promoted
    assert shown.split("</details>")[-2].count("this was the first") == 1
    assert "<script" not in shown
    assert "http" not in shown.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    ).replace("https://matplotlib.org", "")
