"""Operators' commands: at once, with who and why; declined with exit 1; the registry told after the fact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.ledger import Ledger
from adapters.traffic_log import epoch_us
from contracts.events import IntentKind
from contracts.rollout import Act, Aliases, Phase
from contracts.traffic import ShadowBatch
from contracts.verdict import Outcome, Verdict
from tests.flows.stages.rollout_world import TRIGGER, World, five_versions
from understudy.main import main

# MLflow's own store speaks an older SQLAlchemy
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return five_versions(tmp_path_factory)


@pytest.fixture
def world(tmp_path: Path, mlflow: Path) -> World:
    """Version 2 was promoted over version 1 and is being watched."""
    world = World(tmp_path, mlflow)
    world.submit("1", error=10.0)
    world.settle()
    world.serve(30 * 24)
    world.submit("2", error=5.0)
    world.settle()
    assert world.state.phase is Phase.WATCHING
    return world


def run(world: World, *args: str) -> int:
    try:
        main(["--home", str(world.settings.home), "--pipelines", str(world.settings.pipelines), *args])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_rollback_takes_effect_at_once_and_the_registry_follows(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "rollback", "sales", "--reason", "complaints", "--actor", "ada@desk") == 0
    assert world.ledger.routes()["sales"].champion == world.model("1")
    assert world.registry.aliases("sales") == Aliases("1", None, None)
    record = world.ledger.decisions("sales")[0]
    assert (record.act, record.actor, record.reason) == (Act.ROLLBACK, "ada@desk", "complaints")
    said = capsys.readouterr().out
    assert f"rollback, version 1: complaints (decision {record.id}, in force after 0." in said


def test_the_decision_and_its_seconds_are_one_json_document(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "--json", "pause", "sales", "--reason", "holiday") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["decision"]["act"], document["decision"]["phase"]) == ("pause", "paused")
    assert "@" in document["decision"]["actor"]
    assert 0 < document["seconds"] < 60


def test_what_cannot_be_followed_is_declined_recorded_and_exits_1(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "promote", "sales", "--reason", "now") == 1
    assert "declined: promote was asked for while the rollout is watching: nothing to promote (now)" in capsys.readouterr().out
    assert world.ledger.decisions("sales")[0].act is Act.DECLINE
    assert world.ledger.intents("sales") == ()


def test_pause_and_resume_lead_back(world: World) -> None:
    assert run(world, "pause", "sales", "--reason", "wait") == 0
    assert world.state.phase is Phase.PAUSED
    assert run(world, "resume", "sales", "--reason", "go on") == 0
    assert world.state.phase is Phase.WATCHING


def test_promote_and_abort_move_a_candidate_that_rehearses(world: World) -> None:
    world.serve(7 * 24)
    world.settle()
    for version, command, champion in (("3", "abort", "2"), ("4", "promote", "4")):
        world.submit(version, error=5.0)
        world.shadow_works = False
        assert world.settle(1) == ["start"]
        assert run(world, command, "sales", "--reason", "I say so") == 0
        assert world.state.champion == world.model(champion)
        world.settle()


def test_an_intent_left_by_a_killed_command_is_answered_first(world: World) -> None:
    left = world.ledger.add_intent("sales", IntentKind.PAUSE, "ada", "killed before the tick")
    assert run(world, "rollback", "sales", "--reason", "complaints") == 0
    newest, before = world.ledger.decisions("sales")[:2]
    assert (before.act, newest.act) == (Act.PAUSE, Act.ROLLBACK)
    assert world.ledger.answer_to(left, "sales") == before


def test_a_registry_that_is_away_delays_no_roll_back(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert run(world, "rollback", "sales", "--reason", "complaints") == 0
    assert world.ledger.routes()["sales"].champion == world.model("1")
    assert "It is in force, but: The registry's aliases were not moved: MLflow at http://127.0.0.1:9 failed" in capsys.readouterr().err


def test_a_reason_is_asked_for(world: World) -> None:
    assert run(world, "rollback", "sales") == 2
    assert run(world, "rollback", "sales", "--reason", " ") == 2
    assert world.ledger.intents("sales") == ()


def test_neither_mlflow_nor_pandas_is_imported_before_the_roll_back_is_in_force(world: World) -> None:
    code = (
        "import os, sys\nfrom adapters.ledger import Ledger\nfrom understudy.main import main\nsave = Ledger.save\n"
        "def told(*args):\n"
        "    save(*args)\n"
        "    print('HEAVY', sorted({'mlflow', 'pandas', 'sklearn', 'prefect', 'dvc'} & set(sys.modules)), file=sys.stderr, flush=True)\n"
        "    os._exit(0)\n"  # killed right after: what comes later is not needed for it to be in force
        "Ledger.save = told\n"
        f"main(['--home', {str(world.settings.home)!r}, '--pipelines', {str(world.settings.pipelines)!r}, "
        "'rollback', 'sales', '--reason', 'complaints'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": "."})
    assert "HEAVY []" in done.stderr
    assert Ledger(world.settings.ledger_url).routes()["sales"].champion == world.model("1")


def test_explain_shows_numbers_limits_clocks_and_who(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promoted = next(one for one in world.ledger.decisions("sales") if one.act is Act.PROMOTE)
    plot = tmp_path / "plot.svg"
    assert run(world, "explain", "sales", str(promoted.id), "--plot", str(plot)) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"decision {promoted.id} of sales: promote, version 2"
    assert said[2].startswith("by understudy at 20")
    assert said[2].endswith("on the pipeline's clock 2012-01-30 23:00:00 UTC")
    assert said[3:5] == ["before: phase running, epoch 2", "afterwards: phase promoting, epoch 3, revision 3"]
    table = [line.split() for line in said[6:10]]
    assert table[0] == ["gate", "outcome", "observed", "lower", "upper", "limit", "samples"]
    assert (table[1][:3], table[1][-2:]) == (["paired", "absolute_error", "PASS"], ["0", "29"])
    assert plot.read_text().startswith("<svg")


def test_an_unknown_decision_exits_2_with_a_remedy(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "explain", "sales", "99") == 2
    assert "Pipeline 'sales' has no decision 99." in capsys.readouterr().err


def promoted(world: World) -> str:
    return str(next(one.id for one in world.ledger.decisions("sales") if one.act is Act.PROMOTE))


def test_an_auditor_computes_a_decision_again_and_what_came_later_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    now = epoch_us(datetime.now(UTC))
    late = [f"r{number}" for number in range(20 * 24)]
    world.label(late, 250.0, received_at=now)  # labels change after the decision
    world.log.append(ShadowBatch("sales", "2", 2, now, 9, ["r700"], [0], [-4.0]))
    (world.settings.pipelines / "sales" / "pipeline.yaml").write_text(
        json.dumps(world.spec | {"rollout": {"stages": [{"kind": "shadow", "loss": "squared_error", "margin": 9.0}]}})
    )
    assert run(world, "explain", "sales", promoted(world), "--recompute") == 0
    said = capsys.readouterr().out
    assert said.rstrip().endswith("the log gives the same numbers")
    assert said.count("paired absolute_error") >= 2


def test_an_altered_log_is_found_out_and_the_difference_is_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.label(["r400"], 5000.0, received_at=2)  # as if it had been known then
    assert run(world, "explain", "sales", promoted(world), "--recompute") == 1
    said = capsys.readouterr().out
    assert "THE LOG GIVES OTHER NUMBERS:" in said
    assert "paired absolute_error: lower was 4.81" in said
    assert run(world, "--json", "explain", "sales", promoted(world), "--recompute") == 1
    document = json.loads(capsys.readouterr().out)
    assert [one.split(":")[0] for one in document["recomputed"]["differs"]] == ["paired absolute_error"] * len(
        document["recomputed"]["differs"]
    )
    assert document["before"] == {"phase": "running", "epoch": 2}


def test_a_log_that_lost_a_part_is_found_out(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for segment in (world.settings.traffic / "sales" / "shadow-2").glob("*.seg"):
        segment.unlink()
    assert run(world, "explain", "sales", promoted(world), "--recompute") == 1
    assert "paired absolute_error: there were 29 samples, the log has 0" in capsys.readouterr().out


def test_a_decision_without_live_evidence_has_nothing_to_compute(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, "explain", "sales", "1", "--recompute") == 2
    assert "rests on no live evidence" in capsys.readouterr().err


def test_an_operators_decision_rests_on_what_was_measured_last(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.serve(7 * 24)
    world.settle()
    world.submit("3", error=5.0)
    world.settle()
    assert run(world, "abort", "sales", "--reason", "I say so") == 0
    newest = next(one for one in world.ledger.decisions("sales") if one.act is Act.ABORT)
    assert newest.basis is not None
    capsys.readouterr()
    assert run(world, "explain", "sales", str(newest.id), "--recompute") == 0
    assert "the log gives the same numbers" in capsys.readouterr().out


def test_a_version_that_supersedes_rests_on_its_offline_gates_and_on_no_log(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.serve(7 * 24)
    world.settle()
    for version in ("3", "4"):
        world.shadow_works = False
        met = Verdict("mae", Outcome.PASS, 1.0, 2.0, 10, "mae is 1")
        world.ledger.submit("sales", world.model(version), (met,), TRIGGER)
        world.errors[version] = 5.0
        world.settle(1)
    newest = world.ledger.decisions("sales")[0]
    assert (newest.act, newest.version) == (Act.SUPERSEDE, "4")
    assert run(world, "explain", "sales", str(newest.id), "--recompute") == 2
    assert "rests on no live evidence" in capsys.readouterr().err
