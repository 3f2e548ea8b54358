"""The Prefect flow `retrain`, killed at the boundaries of its stages and run again, or made to try again: nothing is there twice.

Two boundaries always, two more and a second try where slow tests run; UNDERSTUDY_KILLS=50 is the long form, of all sixteen and three.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from adapters.settings import Settings
from contracts.rollout import Act
from tests.flows.stages.retrain_world import NAME, build_world, decisions, run_child, things
from tests.prefect_server import ask_prefect

pytestmark = pytest.mark.timeout(400)
# Between two tasks: Prefect has been told that the one is done, and not that the next has begun.
BETWEEN = [
    ("flows.retrain", "pull", "before"),
    ("flows.retrain", "pull", "after"),
    ("flows.retrain", "look_up", "after"),
    ("flows.retrain", "fit_in_time", "after"),
    ("flows.retrain", "evaluate", "after"),
    ("flows.retrain", "gate", "after"),
    ("flows.retrain", "register", "after"),
    ("flows.retrain", "submit", "after"),
]
# Within a task: its work is done, and Prefect takes it for running.
WITHIN = [
    ("flows.stages.ingest", "ingest", "after"),
    ("flows.stages.fit", "fit_stage", "after"),
    ("flows.stages.evaluate", "evaluate_stage", "after"),
    ("flows.stages.gate", "gate_stage", "after"),
    ("adapters.registry.store", "Registry.register", "before"),
    ("flows.stages.register", "register_stage", "after"),
    ("adapters.ledger.store", "Ledger.submit", "before"),
    ("flows.stages.submit", "submit_stage", "after"),
]
ALWAYS, OFTEN = {"pull after", "register_stage after"}, {"look_up after", "submit_stage after"}
LONG = int(os.environ.get("UNDERSTUDY_KILLS", "2")) >= 50
TRIED_AGAIN = [("flows.stages.register", "register_stage"), ("flows.stages.ingest", "ingest"), ("flows.stages.submit", "submit_stage")]
LOOKED_UP = "look_up"  # only where no new row came: the rows come in first


def points(found: list[tuple[str, str, str]]) -> list[Any]:
    """Return the points to go through; those that are not always gone through are marked slow."""
    named = [(f"{one[1]} {one[2]}", one) for one in found]
    chosen = [(name, one) for name, one in named if LONG or name in ALWAYS | OFTEN]
    return [pytest.param(*one, id=name, marks=() if name in ALWAYS else pytest.mark.slow) for name, one in chosen]


@pytest.fixture
def world(tmp_path: Path, mlflow_database: Path) -> Settings:
    return build_world(tmp_path, mlflow_database)


def runs(url: str, since: set[str] | None = None) -> dict[str, str]:
    """Return the flow's runs that were not there before, by id: the type of the state that the server knows."""
    asked = {"flow_runs": {"name": {"any_": [f"retrain {NAME}, operator"]}}, "sort": "START_TIME_DESC"}
    found = ask_prefect("POST", f"{url}/flow_runs/filter", asked).raise_for_status().json()
    return {one["id"]: one["state"]["type"] for one in found if one["id"] not in (since or set())}


@pytest.mark.parametrize(("module", "name", "when"), points(BETWEEN + WITHIN))
def test_the_flow_killed_at_a_boundary_and_run_again_leaves_one_snapshot_one_version_one_submission_one_decision(
    world: Settings, prefect_server: str, module: str, name: str, when: str
) -> None:
    before = set(runs(prefect_server))
    if name == LOOKED_UP:
        assert run_child(world.home, world.pipelines, "flows.retrain", "pull", "after", prefect_server) == -signal.SIGKILL
        before = set(runs(prefect_server))
    assert run_child(world.home, world.pipelines, module, name, when, prefect_server) == -signal.SIGKILL
    assert list(runs(prefect_server, before).values()) == ["RUNNING"], "the server knows nothing of its end"
    assert run_child(world.home, world.pipelines, module, name, "", prefect_server) == 0
    assert sorted(runs(prefect_server, before).values()) == ["COMPLETED", "RUNNING"]
    assert things(world) == (1, 1, 1, 1, 1)
    assert not list((world.home / "work" / NAME).iterdir())
    assert decisions(world) == [Act.BOOTSTRAP]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), TRIED_AGAIN if LONG else TRIED_AGAIN[:1])
def test_a_task_that_is_tried_again_after_its_work_was_done_does_nothing_twice(
    world: Settings, prefect_server: str, module: str, name: str
) -> None:
    before = set(runs(prefect_server))
    assert run_child(world.home, world.pipelines, module, name, "fails", prefect_server) == 0
    ((run, state),) = runs(prefect_server, before).items()
    tasks = ask_prefect("POST", f"{prefect_server}/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}}).raise_for_status().json()
    assert (state, sum(one["run_count"] == 2 for one in tasks)) == ("COMPLETED", 1)
    assert things(world) == (1, 1, 1, 1, 1)
    assert decisions(world) == [Act.BOOTSTRAP]
