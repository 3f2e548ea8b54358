"""dvc.yaml, the command of its stages and the retrain are in step, and `dvc repro` in a clean clone does what the retrain does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.pipeline_files import load_pipeline
from adapters.settings import read_settings
from adapters.sources.simulator import simulate
from contracts.spec import SimulatorSource
from flows.stages import __main__ as command
from flows.stages.dvc_lock import BEFORE_REGISTER
from flows.stages.retrain import STAGES, retrain_local
from tests.flows.stages.retrain_world import TRIGGER

ROOT = Path(__file__).parents[3]


def stages() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return found


def named(entries: list[Any]) -> set[str]:
    """Return the paths of a stage's outs or deps, with or without options."""
    return {next(iter(one)) if isinstance(one, dict) else one for one in entries}


def test_dvc_and_the_retrain_have_the_same_stages_in_the_same_order_by_the_same_functions() -> None:
    assert list(stages()) == list(STAGES) == list(command._RUN)
    for name, stage in stages().items():
        assert stage["cmd"] == f"PATH=.venv/bin:$PATH python -m flows.stages {name} ${{pipeline}}"


def test_the_prefect_flow_has_a_task_for_each_stage_in_the_same_order() -> None:
    from prefect import Task

    from flows import retrain as flow

    tasks = [one.name for one in vars(flow).values() if isinstance(one, Task)]
    assert [name for name in tasks if name in STAGES] == list(STAGES)


class Reached(Exception):
    """Says that a stage's function was called."""


@pytest.mark.parametrize("name", list(STAGES))
def test_each_stage_of_the_command_calls_the_function_that_the_retrain_calls(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def reached(*_: object) -> None:
        raise Reached

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSTUDY_PIPELINES", str(ROOT / "pipelines"))
    monkeypatch.setattr(command._Context, "read", lambda *_: {"id": "s1"})
    monkeypatch.setattr(command, "champion_of", lambda *_: None)
    monkeypatch.setitem(STAGES, name, reached)
    with pytest.raises(Reached):
        command.main([name, "ad_clicks"])


def test_every_stage_reads_only_what_an_earlier_one_wrote_or_what_is_committed() -> None:
    written: set[str] = set()
    for name, stage in stages().items():
        for path in named(stage["deps"]):
            if path.startswith("build/"):
                assert path in written, f"{name} needs {path}"
            else:
                assert (ROOT / path.replace("${pipeline}", "ad_clicks")).exists()
        for kind in ("outs", "metrics", "plots"):
            written |= named(stage.get(kind, []))


def test_dvc_sends_nothing_home_and_points_nowhere_outside() -> None:
    config = (ROOT / ".dvc" / "config").read_text()
    assert "analytics = false" in config
    assert "url" not in config


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "usage:"),
        (["dance", "ad_clicks"], 2, "usage:"),
        (["fit", "nobody"], 2, "There is no pipeline 'nobody'"),
        (["fit", "ad_clicks"], 2, "stage 'ingest' has not run"),
    ],
)
def test_wrong_use_of_the_stage_command_is_answered(
    arguments: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSTUDY_PIPELINES", str(ROOT / "pipelines"))
    monkeypatch.setenv("UNDERSTUDY_HOME", str(tmp_path / "home"))
    assert command.main(arguments) == code
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_who_only_knows_dvc_reproduces_in_a_clean_clone_and_compares_metrics_plots_and_experiments(
    tmp_path: Path, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    _clone(clone)
    home = clone / ".understudy"
    home.mkdir()
    (home / "mlflow.db").write_bytes(mlflow_database.read_bytes())
    env = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
    env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}", "DVC_NO_ANALYTICS": "1"}

    def dvc(*arguments: str) -> str:
        done = subprocess.run(["dvc", *arguments], cwd=clone, env=env, capture_output=True, text=True, check=False, timeout=280)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = dvc("repro")
    assert "Version 1 asks to become champion." in said
    (shown,) = json.loads(dvc("metrics", "show", "--json"))[""]["data"].values()
    assert shown["data"]["overall"]["candidate"]["log_loss"] < 2
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True).stdout
    assert status == "?? dvc.lock\n"
    (kept,) = home.glob("mlartifacts/ad_clicks/*/artifacts/dvc/dvc.lock")
    known = yaml.safe_load(kept.read_text())["stages"]
    assert list(known) == list(STAGES)[:-1], "the record of the run that made the version is kept with it"
    assert known["fit"] == yaml.safe_load((clone / "dvc.lock").read_text())["stages"]["fit"]
    monkeypatch.chdir(clone)
    assert _lock_without_dvc(tmp_path / "elsewhere", clone, mlflow_database) == {name: known[name] for name in BEFORE_REGISTER}

    _git(clone, "add", "dvc.lock")
    _git(clone, "commit", "-q", "-m", "a run")
    dvc("exp", "run", "--name", "slow", "-S", "pipelines/ad_clicks/params.yaml:estimator.learning_rate=0.9", "evaluate")
    (changed,) = json.loads(dvc("metrics", "diff", "--json")).values()
    assert changed["overall.candidate.log_loss"]["diff"] > 0
    points = next(iter(json.loads(dvc("plots", "diff", "--json"))["data"].values()))
    assert set(points[0]["revisions"]) == {"HEAD", "workspace"}
    assert "slow" in dvc("exp", "show", "--no-pager", "--csv")


def _lock_without_dvc(home: Path, clone: Path, mlflow_database: Path) -> dict[str, Any]:
    """Return the stages of dvc.lock that a retrain without DVC keeps, in a home of its own, of the same rows."""
    home.mkdir()
    (home / "mlflow.db").write_bytes(mlflow_database.read_bytes())
    settings = read_settings(home, clone / "pipelines")
    retrain_local(settings, load_pipeline(settings, "ad_clicks"), TRIGGER)
    (kept,) = home.glob("mlartifacts/ad_clicks/*/artifacts/dvc/dvc.lock")
    found: dict[str, Any] = yaml.safe_load(kept.read_text())["stages"]
    return found


def _clone(clone: Path) -> None:
    """Copy what git tracks into a repository of its own, with five days of ad_clicks in a file."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    spec = clone / "pipelines" / "ad_clicks" / "pipeline.yaml"
    content = yaml.safe_load(spec.read_text())
    source = SimulatorSource.model_validate(content["source"] | {"rows_per_hour": 5})
    simulate(source, None, datetime.fromisoformat(source.start).replace(tzinfo=UTC) + timedelta(days=5)).drop(columns="event_time").to_csv(
        clone / "rows.csv", index=False
    )
    content["source"] = {"kind": "file", "path": "rows.csv"}
    content["checks"] = {"suite": "none.json"}  # Great Expectations' import would be most of the time
    content["gates"] = [{"metric": "log_loss", "max": 2}]
    spec.write_text(yaml.safe_dump(content))
    for arguments in (["init", "-q"], ["config", "user.name", "a"], ["config", "user.email", "a@b"], ["add", "-A"]):
        _git(clone, *arguments)
    _git(clone, "commit", "-q", "-m", "all")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True)
