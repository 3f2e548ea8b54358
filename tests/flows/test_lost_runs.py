"""A run whose machine died is called Crashed by the server itself, and what waited for its slot runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.workers import add_deployment, environment, kill_all, run_understudy, start_run, state_of, until, worker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
LOST_AFTER = 15  # the default is 90: a run says that it lives every 30 s


def test_a_run_killed_with_its_worker_is_crashed_by_the_server_and_gives_back_its_slot(tmp_path: Path, prefect_server: str) -> None:
    env = environment(tmp_path, prefect_server, UNDERSTUDY_LOST_AFTER=str(LOST_AFTER))
    (tmp_path / "pipelines").mkdir()
    assert run_understudy(env, "deploy").returncode == 0
    limited = {"concurrency_limit": 1, "concurrency_options": {"collision_strategy": "ENQUEUE"}}
    patient = add_deployment(prefect_server, tmp_path, "patient", "lost", **limited)
    with worker(tmp_path, env):
        lost = start_run(prefect_server, patient)
        until(lambda: state_of(prefect_server, lost)["type"] == "RUNNING", 90, "the run begins")
        waits = start_run(prefect_server, patient)
        until(lambda: state_of(prefect_server, waits)["name"] == "AwaitingConcurrencySlot", 60, "the second run waits")
        kill_all(tmp_path)
        took = until(lambda: state_of(prefect_server, lost)["type"] == "CRASHED", LOST_AFTER + 30, "the server notices")
    assert took > LOST_AFTER / 2
    assert state_of(prefect_server, lost)["message"] == f"No heartbeat for {LOST_AFTER} s: the machine that did this run is gone."
    with worker(tmp_path, env):
        until(lambda: state_of(prefect_server, waits)["type"] == "RUNNING", 90, "the run that waited begins")
