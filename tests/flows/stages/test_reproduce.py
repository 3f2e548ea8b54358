"""A version is refitted from what the registry and the data repository hold alone; where bytes differ, it is said what does."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from adapters.pipeline_files import with_window
from adapters.registry import Registry
from adapters.registry.connection import connect
from adapters.settings import Settings
from contracts.errors import UsageError
from flows.stages import register, reproduce
from flows.stages.differences import Predictions
from flows.stages.refit_elsewhere import Wanted
from flows.stages.reproduce import reproduce as run
from flows.stages.retrain import retrain_local
from tests.flows.stages.retrain_world import NAME, TRIGGER, build_world, pipeline_of
from understudy.main import main


@pytest.fixture
def world(tmp_path: Path, mlflow_database: Path) -> Settings:
    settings = build_world(tmp_path, mlflow_database)
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("home/\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "all")
    return settings


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_a_version_is_reproduced_from_its_lineage_alone_whatever_the_pipelines_files_say_now(world: Settings, tmp_path: Path) -> None:
    retrain_local(world, pipeline_of(world), TRIGGER)
    lineage = Registry(world).lineage(NAME, "1")
    assert (lineage.commit, lineage.clean) == (git(tmp_path, "rev-parse", "HEAD"), True)
    same = run(world, NAME, "1")
    assert (same.same, same.differs) == (True, ())
    assert same.predictions == Predictions(72, 0, 0.0, None)
    (tmp_path / "rows.csv").unlink()
    shutil.rmtree(world.pipelines / NAME)
    gone = run(world, NAME, "1")
    assert gone.same
    assert len(gone.differs) == 1, "only that the tree is dirty now"
    assert gone.differs[0].startswith("The tree is dirty now: ")
    assert "pipelines/sales/params.yaml" in gone.differs[0]


def test_a_commit_a_dirty_tree_and_another_environment_are_named_even_where_the_bytes_are_the_same(
    world: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = world.pipelines / NAME / "params.yaml"
    params.write_text(params.read_text() + "# changed\n")
    retrain_local(world, pipeline_of(world), TRIGGER)
    before = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "commit", "-q", "-a", "-m", "more")
    # What stands for another machine here: the texts that describe it. The same in a second environment, for real, takes minutes.
    other = register.environment_text().replace("joblib==", "joblib==9.9.").replace("numpy==", "numpie==")
    for module in (register, reproduce):
        monkeypatch.setattr(module, "environment_text", lambda: other)
    there = reproduce.machine_text().replace("cores==", "cores==9")
    monkeypatch.setattr(reproduce, "machine_text", lambda: there.replace("cpu==", "cpu==Other "))
    found = run(world, NAME, "1")
    assert found.same
    environment, commit, dirty, machine = found.differs
    joblib, numpy = (metadata.version(name) for name in ("joblib", "numpy"))
    assert f": joblib {joblib} → 9.9.{joblib}; numpy {numpy}, gone; numpie {numpy}, not there before." in environment
    assert environment.startswith("The environment digest is ")
    now = git(tmp_path, "rev-parse", "HEAD")
    assert commit == f"The code is at commit {now}; recorded is {before}, and these files differ: pipelines/sales/params.yaml."
    assert dirty.startswith("The tree was dirty when the version was fitted")
    assert dirty.endswith("(pipelines/sales/params.yaml).")
    assert machine.startswith("The machine is another: ")
    assert "cpu " in machine
    assert "→ Other " in machine
    assert "cores " in machine


def test_the_recorded_commit_of_the_pipelines_is_fetched_and_its_files_are_held_against_those_that_were_fitted(
    world: Settings, tmp_path: Path
) -> None:
    git(tmp_path, "remote", "add", "origin", f"file://{tmp_path / 'nowhere.git'}")
    retrain_local(world, pipeline_of(world), TRIGGER)
    git(tmp_path, "clone", "-q", str(tmp_path), str(tmp_path / "code"))
    shutil.rmtree(tmp_path / ".git")
    away = run(world, NAME, "1")
    assert away.same
    assert away.code.startswith("The refit ran with the running code. Commit ")
    assert f"could not be fetched from file://{tmp_path / 'nowhere.git'}." in away.code, "the recorded origin was asked"
    here = run(world, NAME, "1", wanted=Wanted(code=str(tmp_path / "code")))
    assert here.code == "The refit ran with the running code; the recorded commit has only the pipelines."
    assert not any("not those that were fitted" in one for one in here.differs)
    told = Registry(world)
    told._client.set_model_version_tag(NAME, "1", "git_commit", _another_commit(tmp_path / "code"))
    other = run(world, NAME, "1", wanted=Wanted(code=str(tmp_path / "code")))
    assert other.same
    assert any(one.endswith("are not those that were fitted.") for one in other.differs)
    assert run(world, NAME, "1", wanted=Wanted(here=True)).code == "The refit ran with the running code, as was asked."


def _another_commit(clone: Path) -> str:
    params = clone / "pipelines" / NAME / "params.yaml"
    params.write_text(params.read_text().replace("0.5", "0.75"))
    git(clone, "commit", "-q", "-a", "-m", "more")
    return git(clone, "rev-parse", "HEAD")


def test_other_bytes_exit_1_and_name_the_first_file_that_differs(
    tmp_path: Path, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {"train": {"holdout": "3d", "estimator": "sklearn.linear_model.Ridge", "features": "features:build"}}
    world = build_world(tmp_path, mlflow_database, **changed)
    code = "import os\ndef build(frame):\n    return frame.assign(x=frame['x'] * float(os.environ['X']))\n"
    (world.pipelines / NAME / "features.py").write_text(code)
    monkeypatch.setenv("X", "1")
    retrain_local(world, pipeline_of(world), TRIGGER)
    typed = ["--home", str(world.home), "--pipelines", str(world.pipelines), "--json", "reproduce", NAME, "1"]
    main(typed)
    assert json.loads(capsys.readouterr().out)["same"] is True
    monkeypatch.setenv("X", "2")
    with pytest.raises(SystemExit) as left:
        main(typed)
    assert left.value.code == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["same"], said["recorded"] == said["refitted"]) == (False, False)
    assert said["differs"][-1].startswith("Package file model.skops differs first at byte ")
    assert (said["predictions"]["rows"], said["predictions"]["differing"]) == (72, 0), "a scaled column gives the same answers"


def test_a_snapshot_that_is_not_here_and_a_version_that_is_none_exit_2(world: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    done = retrain_local(world, pipeline_of(world), TRIGGER)
    client = connect(world.mlflow_uri)
    client.set_model_version_tag(NAME, done.model.version, "snapshot", "s000000000000")
    typed = ["--home", str(world.home), "--pipelines", str(world.pipelines), "reproduce", NAME]
    for version, message in (("1", "has no snapshot 's000000000000'"), ("2", "has no version '2'")):
        with pytest.raises(SystemExit) as left:
            main([*typed, version])
        assert left.value.code == 2
        assert message in capsys.readouterr().err


def test_a_version_fitted_on_another_window_is_another_version_and_is_reproduced_with_it(world: Settings) -> None:
    retrain_local(world, pipeline_of(world), TRIGGER)
    other = retrain_local(world, with_window(pipeline_of(world), "10d"), TRIGGER)
    assert other.model.version == "2"
    assert Registry(world).lineage(NAME, "1").spec_digest != Registry(world).lineage(NAME, "2").spec_digest
    again = run(world, NAME, "2")
    assert (again.same, again.differs) == (True, ())
    with pytest.raises(UsageError, match="'ten days' is not a duration"):
        with_window(pipeline_of(world), "ten days")
