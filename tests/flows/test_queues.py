"""Where slots are few, what an operator asked for overtakes what drift asked for, and that what waits by schedule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.prefect_api import PrefectApi
from contracts.events import Cause
from contracts.queues import QUEUES, queue_of
from tests.flows.workers import add_deployment, environment, run_understudy, until, worker
from tests.prefect_server import ask_prefect
from understudy import runs

pytestmark = pytest.mark.timeout(240)
JOB = """
import json, os, time, urllib.request

def say(kind):
    url = f"{os.environ['PREFECT_API_URL']}/flow_runs/{os.environ['PREFECT__FLOW_RUN_ID']}/set_state"
    body = json.dumps({"state": {"type": kind}, "force": True}).encode()
    urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=30).read()

say("RUNNING")
while os.path.exists("HOLD"):
    time.sleep(0.1)
say("COMPLETED")
"""


@pytest.mark.slow
def test_with_one_slot_an_operators_run_overtakes_those_that_wait(tmp_path: Path, prefect_server: str) -> None:
    env = environment(tmp_path, prefect_server, UNDERSTUDY_LOST_AFTER="0")
    (tmp_path / "pipelines").mkdir()
    assert run_understudy(env, "deploy").returncode == 0
    hold = tmp_path / "hold"
    hold.touch()
    (tmp_path / "job.py").write_text(JOB.replace("HOLD", str(hold)))
    job = {"command": f"{sys.executable} {tmp_path / 'job.py'}"}
    deployment = add_deployment(prefect_server, tmp_path, "quick", "queued", job_variables=job)
    with worker(tmp_path, env, "--limit", "1"), PrefectApi(prefect_server) as api:

        def start(cause: Cause | None) -> str:
            return api.create_run(deployment, {}, queue=None if cause is None else queue_of(cause)).id

        first = start(None)
        until(lambda: api.state(first).kind == "RUNNING", 90, "the only slot is taken")
        waiting = [start(None), start(Cause.SCHEDULE), start(Cause.DRIFT), start(Cause.NEW_DATA)]
        operators = runs.start(api, "quick", "queued").id  # what `understudy retrain` does, after all of them
        hold.unlink()
        everyone = [first, operators, waiting[2], waiting[3], waiting[0], waiting[1]]
        until(lambda: all(api.state(one).ended for one in everyone), 120, "all are done")
    began = {one: ask_prefect("GET", f"{prefect_server}/flow_runs/{one}").json()["start_time"] for one in everyone}
    assert sorted(everyone, key=lambda one: began[one]) == everyone


def test_every_cause_has_a_queue() -> None:
    found: dict[Any, str] = {cause: queue_of(cause) for cause in Cause}
    assert set(found.values()) == set(QUEUES)
    assert QUEUES[found[Cause.OPERATOR]] < QUEUES[found[Cause.DRIFT]] == QUEUES[found[Cause.NEW_DATA]] < QUEUES[found[Cause.SCHEDULE]]
