"""A step that something outside failed is tried again and says so; a fit that takes too long is stopped and says so."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from prefect import Task

from flows.patience import JITTER, STEPS
from tests.flows.workers import ROOT, environment
from tests.prefect_server import ask_prefect

pytestmark = pytest.mark.timeout(240)
AGAIN = """
from prefect import flow
from contracts.errors import OutsideError, Refused
from flows.patience import step

tries = []

@step("tick")
def away_once():
    tries.append("away")
    if len(tries) == 1:
        raise OutsideError("The registry is away.", "Look whether it is up.")

@step("submit")
def refused():
    tries.append("refused")
    raise Refused("The answer is no.")

@flow(name="patience")
def both():
    away_once()
    refused()

try:
    both()
finally:
    print(tries)
"""
PIPELINE = """
name: slow
task: regression
source: {kind: file, path: ROWS}
columns: {time: at, target: y, features: {numeric: [x]}}
train: {holdout: 1d, estimator: sleeper.Sleeper, timeout: 2s}
gates: [{metric: mae, max: 10}]
rollout: {stages: [{kind: shadow, loss: absolute_error}]}
"""
SLEEPER = """
import time
from sklearn.linear_model import Ridge

class Sleeper(Ridge):
    def fit(self, *args, **more):
        time.sleep(600)
"""


def test_every_step_has_its_limits_and_what_is_tried_again_is_tried_at_growing_pauses() -> None:
    assert set(STEPS) >= {"ingest", "fit", "evaluate", "gate", "register", "submit", "tick", "watch", "note the answer", "keep report"}
    assert all(0 < one.timeout <= 7 * 86_400 for one in STEPS.values())
    assert all(list(one.pauses) == sorted(set(one.pauses)) for one in STEPS.values())
    assert STEPS["fit"].pauses == STEPS["gate"].pauses == STEPS["note the answer"].pauses == ()  # they would give the same again
    assert 0 < JITTER < 1


def test_every_task_of_a_flow_is_a_step_with_a_timeout() -> None:
    flows = [importlib.import_module(f"flows.{name}") for name in ("retrain", "rollout", "monitor", "approval")]
    tasks = {one.name: one for flow in flows for one in vars(flow).values() if isinstance(one, Task)}
    assert set(tasks) == set(STEPS)
    assert {name: one.timeout_seconds for name, one in tasks.items()} == {name: one.timeout for name, one in STEPS.items()}


def test_only_what_something_outside_failed_is_tried_again_and_the_log_tells_so(tmp_path: Path, prefect_server: str) -> None:
    env = environment(tmp_path, prefect_server)
    done = subprocess.run([sys.executable, "-c", AGAIN], env=env, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert done.stdout.splitlines()[-1] == "['away', 'away', 'refused']"
    (retry,) = [line for line in done.stderr.splitlines() if "Retry 1/" in line]
    assert "The registry is away. Look whether it is up." in retry
    assert "Retry 1/2 will start" in retry


@pytest.mark.filterwarnings("default")
def test_a_fit_that_takes_longer_than_the_pipeline_allows_is_failed_with_a_sentence(tmp_path: Path, prefect_server: str) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("at,x,y\n" + "".join(f"2026-01-{day:02}T00:00:00Z,{day},{day}\n" for day in range(1, 9)))
    folder = tmp_path / "pipelines" / "slow"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("ROWS", str(rows)))
    (folder / "params.yaml").write_text("seed: 0\n")
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    env = environment(tmp_path, prefect_server, PYTHONPATH=str(tmp_path))
    script = "from flows.retrain import retrain; retrain('slow')"
    done = subprocess.run([sys.executable, "-c", script], env=env, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 1
    (run,) = ask_prefect("POST", f"{prefect_server}/flow_runs/filter", {"flow_runs": {"name": {"any_": ["retrain slow, operator"]}}}).json()
    assert run["state"]["type"] == "FAILED"
    said = "The fit of 'slow' took longer than 2s and was stopped. Raise train.timeout in pipeline.yaml, or fit fewer rows."
    assert said in run["state"]["message"]
    assert run["total_run_time"] < 100
