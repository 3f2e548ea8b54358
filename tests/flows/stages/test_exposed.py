"""From shadow over A/B and bandit to promotion by real ticks: on a real ledger and traffic log, with users split as the gateway does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.traffic_frames import answers
from adapters.traffic_log import epoch_us
from contracts.events import IntentKind
from contracts.rollout import Act, Phase
from contracts.traffic import AnsweredBatch, FailedBatch
from contracts.verdict import Outcome, Verdict
from flows.stages.recall import confidence_path
from tests.flows.stages.rollout_world import HOUR, START, World, five_versions
from tests.flows.stages.split_world import STAGES, Split

# MLflow's own store speaks an older SQLAlchemy
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return five_versions(tmp_path_factory)


@pytest.fixture
def exposed(tmp_path: Path, mlflow: Path) -> Split:
    """Version 2 has passed its rehearsal and meets a quarter of the users."""
    return Split(tmp_path, mlflow).rehearsed()


def verdict(world: World, gate: str) -> Verdict:
    found = world.ledger.evidence("sales")
    assert found is not None
    return next(one for one in found.verdicts if one.gate == gate)


def test_a_candidate_that_earns_more_is_split_tested_then_given_more_and_more_users_and_promoted(exposed: Split) -> None:
    assert (exposed.state.route.share, exposed.state.route.shadow, exposed.state.stage) == (0.25, None, 1)
    better = {"1": 1.0, "2": 2.0}
    exposed.users(30, better)
    assert exposed.settle() == ["advance"]
    advanced = exposed.ledger.decisions("sales")[0]
    assert {one.gate: one.outcome for one in advanced.verdicts} == {
        "sample ratio": Outcome.PASS, "profit": Outcome.PASS, "error_rate": Outcome.PASS,
    }  # fmt: skip
    assert (exposed.state.stage, exposed.state.route.share) == (2, 0.3)
    shares = []
    for _ in range(8):
        exposed.users(7, better)
        exposed.settle()
        if exposed.state.phase is not Phase.RUNNING:
            break
        shares.append(exposed.state.route.share)
    assert 0.85 < shares[-1] <= 0.9  # the floor is left to the champion
    assert "expose" in exposed.acts
    assert (exposed.state.champion, exposed.state.route.arms) == (exposed.model("2"), ())
    promoted = next(one for one in exposed.ledger.decisions("sales") if one.act is Act.PROMOTE)
    assert {one.gate for one in promoted.verdicts} == {"sample ratio", "off-policy profit", "error_rate"}
    for record in (advanced, promoted):  # both can be drawn again from the log
        steps = confidence_path(exposed.settings, exposed.pipeline, exposed.ledger, record)
        told = next(one for one in record.verdicts if one.gate.endswith("profit"))
        assert steps is not None
        assert (steps.counted, steps.mean[-1], steps.lower[-1]) == ("units", pytest.approx(told.observed), pytest.approx(told.lower))


def test_the_former_champion_may_be_a_third_arm_of_the_bandit_and_only_the_candidate_can_win(tmp_path: Path, mlflow: Path) -> None:
    world = Split(tmp_path, mlflow)
    world.spec["rollout"] |= {"stages": STAGES[:1], "watch": "1h"}
    world.submit("1", error=10.0)
    world.settle()
    world.serve(30 * 24)
    world.submit("2", error=5.0)
    assert world.settle() == ["start", "promote", "watch"]
    world.serve(30 * 24)
    assert world.settle() == ["finish"]
    world.respec(stages=[STAGES[0], STAGES[2] | {"with_previous": True}])
    world.submit("3", error=1.0)
    assert world.settle() == ["start", "advance"]
    arms = {arm.name: arm.model.version for arm in world.state.route.arms}
    assert arms == {"champion": "2", "candidate": "3", "previous": "1"}
    for _ in range(10):
        world.users(7, {"1": 3.0, "2": 1.0, "3": 2.0})
        world.settle()
        if world.state.phase is not Phase.RUNNING:
            break
    assert "expose" in world.acts
    answered = answers(world.log)
    assert {"1", "2", "3"} <= set(answered.loc[answered["arm"] != "", "version"])
    promoted = next(one for one in world.ledger.decisions("sales") if one.act is Act.PROMOTE)
    assert promoted.version == "3"
    reason = next(one.reason for one in promoted.verdicts if one.gate == "off-policy profit")
    assert "previous 3." in reason or "previous 2.9" in reason, "what it would have earned alone is said, and decides nothing"


def test_a_bandit_never_promotes_what_earns_no_more_however_many_users_it_has(exposed: Split) -> None:
    exposed.users(30, {"1": 1.0, "2": 2.0})
    assert exposed.settle() == ["advance"]
    for _ in range(6):
        exposed.users(12, {"1": 1.0, "2": 1.0})
        exposed.settle()
        assert exposed.state.phase is Phase.RUNNING
    assert verdict(exposed, "off-policy profit").outcome is not Outcome.PASS


def test_a_candidate_that_earns_less_is_taken_out_and_every_user_goes_back(exposed: Split) -> None:
    exposed.users(30, {"1": 1.0, "2": 0.0})
    assert exposed.settle() == ["abort", "finish"]
    assert (exposed.state.champion, exposed.state.route.arms, exposed.state.candidate) == (exposed.model("1"), (), None)
    assert "less profit per unit" in next(one for one in exposed.ledger.decisions("sales") if one.act is Act.ABORT).reason


def test_failures_of_the_exposed_version_end_the_exposure_at_once_also_while_paused(exposed: Split) -> None:
    exposed.users(2, {"1": 1.0, "2": 1.0})
    exposed.ledger.add_intent("sales", IntentKind.PAUSE, "ada", "lunch")
    assert exposed.settle() == ["pause"]
    for number in range(30):
        exposed.log.append(FailedBatch("sales", "2", exposed.state.epoch, 0, [f"f{number}"], "MemoryError"))
    assert exposed.settle() == ["abort", "finish"]
    assert exposed.state.route.share == 0


def test_a_newer_version_waits_while_users_meet_the_candidate(exposed: Split) -> None:
    exposed.submit("3", error=1.0)
    exposed.users(2, {"1": 1.0, "2": 1.0})
    assert exposed.settle() == []
    assert [one.model.version for one in exposed.ledger.submissions("sales")] == ["3"]
    exposed.users(30, {"1": 1.0, "2": -1.0})
    assert exposed.settle() == ["abort", "finish", "start", "advance"]
    assert exposed.state.candidate == exposed.model("3")


def test_a_log_that_lost_one_arms_rows_voids_the_comparison(exposed: Split) -> None:
    arms = exposed.state.route.arms
    lost = tuple(arm for arm in arms if arm.name == "champion")
    for number in range(400):
        name = f"x{number}"
        arm = lost[0]
        row = [epoch_us(START + exposed.hours * HOUR)]
        exposed.log.append(AnsweredBatch("sales", "1", exposed.state.epoch, arm.name, arm.share, 0, 9, [name], [0], row, [name], {}, [1.0]))
    assert exposed.settle() == ["abort", "finish"]
    assert "the comparison is void" in next(one for one in exposed.ledger.decisions("sales") if one.act is Act.ABORT).reason
