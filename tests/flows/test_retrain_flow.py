"""What a run of the flow `retrain` shows: of a refused batch why, line by line; of every run how long its steps took."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.office import write_shop
from tests.flows.workers import ROOT, environment
from tests.prefect_server import ask_prefect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SUITE = [
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "max_value": 2}, "meta": {"severity": "row"}},
    {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "y", "min_value": 50}, "meta": {"severity": "batch"}},
]
RUNS = """
from flows.retrain import retrain
retrain("shown", dry_run=True)
retrain("shown")
retrain("shown")
try:
    retrain("refused")
except Exception as error:
    print(type(error).__name__)
"""


@dataclass(frozen=True)
class Runs:
    """Four runs in the order of their beginning, and what was printed."""

    url: str
    mlflow: str
    found: list[dict[str, Any]]
    log: str
    out: str

    def artifacts(self, run: dict[str, Any]) -> dict[str, Any]:
        asked = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}}
        return {one["key"]: one for one in ask_prefect("POST", f"{self.url}/artifacts/filter", asked).raise_for_status().json()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str, prefect_server: str) -> Runs:
    """A dry run, a retrain, one with nothing new, one of a batch that is refused: each by the real flow, on a real server."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "home").mkdir()
    for name, suite in (("shown", SUITE[:1]), ("refused", SUITE)):
        place = write_shop(folder, name)
        spec = json.loads((place / "pipeline.yaml").read_text())
        (place / "pipeline.yaml").write_text(json.dumps({**spec, "checks": {"max_quarantined": 0.1}}))
        (place / "suite.json").write_text(json.dumps({"name": name, "expectations": suite}))
    env = environment(folder / "home", prefect_server, UNDERSTUDY_PIPELINES=str(folder / "pipelines"), MLFLOW_TRACKING_URI=mlflow_server)
    done = subprocess.run([sys.executable, "-c", RUNS], env=env, cwd=ROOT, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    names = [f"retrain {name}, operator" for name in ("shown", "refused")]
    asked = {"flow_runs": {"name": {"any_": names}}, "sort": "START_TIME_ASC"}
    found = ask_prefect("POST", f"{prefect_server}/flow_runs/filter", asked).raise_for_status().json()
    return Runs(prefect_server, mlflow_server, found[-4:], done.stderr, done.stdout)


def test_a_run_whose_batch_is_refused_fails_as_such_and_shows_what_failed_and_the_page(runs: Runs) -> None:
    run = runs.found[-1]
    assert (run["state"]["type"], runs.out.split()) == ("FAILED", ["BatchRefused"])
    assert "rows of 'refused' was refused: y column mean to be between (min_value=50) fails" in run["state"]["message"]
    shown = runs.artifacts(run)
    assert {"refused-checks", "refused-data-docs"} <= set(shown)
    table = {row["gate"]: row["outcome"] for row in json.loads(shown["refused-checks"]["data"])}
    assert table == {
        "expect_column_values_to_be_between(x)": "PASS",  # its rows would be set aside
        "expect_column_mean_to_be_between(y)": "FAIL",
        "quarantined rows": "PASS",
    }
    assert "was refused" in shown["refused-checks"]["description"]
    page = shown["refused-data-docs"]
    lines = page["data"].splitlines()
    assert (page["type"], lines[0]) == ("markdown", "3 checks, 1 of them hold.")
    assert lines[2].startswith("| column | expectation | severity | outcome | observed | limit | examples | why |")
    assert lines[4].startswith("| x | be between | row | fail | ")
    assert lines[5].startswith("| y | column mean to be between | batch | fail | ")
    assert "| min_value=50 |" in lines[5]
    assert "file://" not in page["data"], "a browser would block it"
    (file,) = [line.strip("`") for line in lines if line.endswith("index.html`")]
    assert "Data documentation" in Path(file).read_text()


def test_a_run_that_made_a_version_shows_which_rows_failed_and_links_the_copy_of_the_page_that_mlflow_has(runs: Runs) -> None:
    shown = runs.artifacts(runs.found[1])  # the dry run before it had brought the rows in
    assert "| x | be between | row | fail | " in runs.artifacts(runs.found[0])["shown-data-docs"]["data"]
    link = shown["shown-data-docs-copy"]["data"]
    address = re.search(r"\((http://[^)]+)\)", link)
    assert address is not None, link
    base, _, place = address[1].partition("/#/experiments/")
    _, _, run, _, path = place.split("/", 4)
    assert base == runs.mlflow
    page = httpx.get(f"{base}/get-artifact", params={"run_uuid": run, "path": path})  # what MLflow's page of that link loads
    assert (page.status_code, "Data documentation" in page.text) == (200, True)


def test_every_run_that_ends_says_how_long_each_of_its_steps_took(runs: Runs) -> None:
    said = [line.partition("Seconds by step: ")[2] for line in runs.log.splitlines() if "Seconds by step: " in line]
    steps = [[part.split(" ")[0] for part in line.partition(";")[0].replace("look up", "look-up").split(", ")] for line in said]
    assert steps == [
        ["ingest", "fit", "evaluate", "gate"],  # a dry run
        ["ingest", "look-up", "fit", "evaluate", "gate", "register", "submit"],
        ["ingest", "look-up", "submit"],  # nothing new came
        ["ingest"],  # refused
    ]
