"""The registry on an SQLite file and through a real MLflow server: one version per lineage, whole or absent, a true MLflow model."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from adapters.model_cache import cached_package
from adapters.package_store import folder_digest, load_package, write_package
from adapters.registry import Registered, Registration, Registry
from adapters.registry.connection import connect
from adapters.registry.records import DATA_DOCS
from adapters.settings import Settings, read_settings
from contracts.errors import NotReproducible, OutsideError, UsageError
from contracts.events import Cause, Trigger
from contracts.lineage import Lineage
from contracts.rollout import Aliases, ModelRef
from contracts.spec import Params, PipelineSpec
from training.fit import fit

LINEAGE = Lineage("s1", "d" * 64, "5" * 64, "c" * 40, True, "e" * 64)
CODE = "def build(frame):\n    return frame.assign(a=frame['a'] * 2)\n"


on_file = pytest.mark.parametrize("settings", ["file"], indirect=True)
on_server = pytest.mark.parametrize("settings", ["server"], indirect=True)


def spec(name: str, task: str) -> PipelineSpec:
    binary = task == "binary"
    return PipelineSpec.model_validate(
        {
            "name": name,
            "task": task,
            "source": {"kind": "file", "path": "rows.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["a", "n"], "categorical": ["kind"]}},
            "train": {
                "holdout": "2d",
                "estimator": f"sklearn.linear_model.{'LogisticRegression' if binary else 'Ridge'}",
                "features": "features:build",
            },
            "gates": [{"metric": "log_loss" if binary else "mae", "max": 10}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "log_loss" if binary else "absolute_error"}]},
        }
    )


def rows(task: str) -> pd.DataFrame:
    times = pd.date_range("2026-01-01", periods=200, freq="1h", tz="UTC")
    frame = pd.DataFrame({"event_time": times, "a": [0.5 * (n % 9) for n in range(200)], "n": range(200), "kind": ["x", "y"] * 100})
    return frame.assign(y=(frame["a"] > 2).astype(int) if task == "binary" else frame["a"] * 2 + frame["n"])


@pytest.fixture(params=["file", "server"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, mlflow_database: Path) -> Settings:
    found = read_settings(tmp_path / "home", tmp_path / "pipelines")
    found.home.mkdir()
    if request.param == "server":
        return replace(found, mlflow_uri=request.getfixturevalue("mlflow_server"))
    (found.home / "mlflow.db").write_bytes(mlflow_database.read_bytes())
    return replace(found, mlflow_uri=f"sqlite:///{found.home / 'mlflow.db'}")


def registration(folder: Path, name: str, task: str = "regression", lineage: Lineage = LINEAGE, **changed: Any) -> Registration:
    """Fit something small and return what registers it."""
    one = fit(rows(task), spec(name, task), Params(**changed.pop("params", {})), CODE)
    package = write_package(folder / lineage.snapshot / "package", one.files)
    report = folder / lineage.snapshot / "report"
    (report / "plots").mkdir(parents=True, exist_ok=True)
    (report / "gate.json").write_text("[]")
    (report / "plots" / "x.txt").write_text("a plot")
    given = Registration(
        pipeline=name,
        lineage=lineage,
        package=package,
        digest=folder_digest(package),
        cutoff=one.cutoff,
        report=report,
        example=one.held_out.head(3),
        passed=True,
        trigger=Trigger(Cause.DRIFT, "the world moved", "monitor"),
        metrics={"mae": 1.5, "champion/mae": 2.5, "kind/x/mae": 1.0},
        params={"estimator": "Ridge"},
    )
    return replace(given, **changed)


def in_mlflow(settings: Settings, name: str) -> tuple[int, int, int]:
    """Return how many versions, runs and models MLflow shows."""
    client = connect(settings.mlflow_uri)
    experiments = [one.experiment_id for one in client.search_experiments() if one.name.startswith(name)]
    versions = client.search_model_versions(f"name = '{name}'")
    return len(versions), len(client.search_runs(experiments)), len(client.search_logged_models(experiments))


def test_a_version_says_where_it_comes_from_and_its_package_is_fetched_by_its_address(settings: Settings, tmp_path: Path) -> None:
    registry = Registry(settings)
    given = registration(tmp_path, "origin")
    done = registry.register(given)
    assert (done.model.version, done.model.digest, done.model.snapshot, done.model.cutoff) == ("1", given.digest, "s1", given.cutoff)
    assert done.model.uri.startswith("mlflow-artifacts:/" if settings.mlflow_uri.startswith("http") else "file:///")
    assert registry.lineage("origin", "1") == LINEAGE
    assert (registry.model("origin", "1"), registry.find("origin", LINEAGE)) == (done.model, done)
    assert registry.find("origin", replace(LINEAGE, clean=False)) is None
    package = load_package(cached_package(settings, done.model), done.model.digest)
    assert package.predict(rows("regression").head(2)).shape == (2,)
    assert (registry.fetch_report(done, "plots", tmp_path / "fetched") / "x.txt").read_text() == "a plot"
    with pytest.raises(UsageError, match="has no version '7'"):
        registry.model("origin", "7")


@on_server
def test_mlflow_shows_metrics_parameters_and_every_tag_of_the_lineage(settings: Settings, tmp_path: Path) -> None:
    done = Registry(settings).register(registration(tmp_path, "shown", passed=False))
    client = connect(settings.mlflow_uri)
    run = client.get_run(done.run_id)
    assert run.data.metrics == {"mae": 1.5, "champion/mae": 2.5, "kind/x/mae": 1.0}
    assert (run.data.params, run.info.status) == ({"estimator": "Ridge"}, "FINISHED")
    tags = client.get_model_version("shown", "1").tags
    assert {name: tags[name] for name in ("snapshot", "git_commit", "git_tree", "gates", "cause", "reason", "actor")} == {
        "snapshot": "s1",
        "git_commit": "c" * 40,
        "git_tree": "clean",
        "gates": "not met",
        "cause": "drift",
        "reason": "the world moved",
        "actor": "monitor",
    }
    assert tags["data_digest"] == LINEAGE.data_digest
    assert tags["spec_digest"] == LINEAGE.spec_digest
    assert tags["environment_digest"] == LINEAGE.environment
    assert tags["artefact_digest"] == done.model.digest


@on_server
def test_mlflow_s_page_of_a_version_leads_to_the_data_docs_of_its_checks(settings: Settings, tmp_path: Path) -> None:
    given = registration(tmp_path, "documented")
    (given.report / "data-docs").mkdir()
    (given.report / DATA_DOCS).write_text("<html>what the suite said</html>")
    done = Registry(settings).register(given)
    client = connect(settings.mlflow_uri)
    version = client.get_model_version("documented", "1")
    experiment = client.get_run(done.run_id).info.experiment_id
    assert version.tags["data_docs"] == client.get_run(done.run_id).data.tags["data_docs"] == "data-docs/index.html"
    assert f"[Data Docs](#/experiments/{experiment}/runs/{done.run_id}/artifacts/{DATA_DOCS})" in version.description
    assert Registry(settings).docs_page(done) == f"#/experiments/{experiment}/runs/{done.run_id}/artifacts/{DATA_DOCS}"
    asked = {"run_uuid": done.run_id, "path": version.tags["data_docs"]}
    page = httpx.get(f"{settings.mlflow_uri}/get-artifact", params=asked)  # what MLflow's page of that link loads
    assert (page.status_code, page.text) == (200, "<html>what the suite said</html>")
    plain = Registry(settings).register(registration(tmp_path, "documented", lineage=replace(LINEAGE, snapshot="s2", data_digest="f")))
    assert Registry(settings).docs_page(plain) is None
    told = client.get_model_version("documented", plain.model.version)
    assert ("data_docs" in told.tags, told.description or "") == (False, ""), "without a suite nothing is promised"


def test_registered_again_it_is_the_same_version_and_other_bytes_of_one_lineage_are_refused(settings: Settings, tmp_path: Path) -> None:
    registry = Registry(settings)
    given = registration(tmp_path, "once")
    done = registry.register(given)
    assert registry.register(given) == done
    assert registry.register(replace(given, passed=False)).passed is False, "gates are judged again against another champion"
    assert registry.registered("once", "1").passed is False
    other = registration(tmp_path / "other", "once", params={"estimator": {"alpha": 9.0}})
    with pytest.raises(NotReproducible, match="Version 1 of 'once' has the same lineage"):
        registry.register(other)
    assert registry.register(registration(tmp_path, "once", lineage=replace(LINEAGE, snapshot="s2", data_digest="f"))).model.version == "2"
    assert in_mlflow(settings, "once") == (2, 2, 2)


@on_file
@pytest.mark.parametrize("broken", ["log_artifacts", "create_logged_model", "log_model_artifacts", "create_model_version"])
def test_what_was_half_logged_is_removed_and_no_version_ever_refers_to_it(
    settings: Settings, tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    registry, name = Registry(settings), f"half_{broken}"

    def fails(*_: Any, **__: Any) -> None:
        raise MlflowException("the disk is full")

    with monkeypatch.context() as broken_once:
        broken_once.setattr(registry._client, broken, fails)
        with pytest.raises(OutsideError, match="the disk is full"):
            registry.register(registration(tmp_path, name))
    assert in_mlflow(settings, name)[:2] == (0, 1)
    assert registry.register(registration(tmp_path, name)).model.version == "1"
    assert in_mlflow(settings, name) == (1, 1, 1)


@on_server
def test_aliases_are_set_and_taken_away_as_wanted(settings: Settings, tmp_path: Path) -> None:
    registry = Registry(settings)
    assert registry.aliases("moves") == Aliases()
    for number in (1, 2):
        registry.register(registration(tmp_path, "moves", lineage=replace(LINEAGE, snapshot=f"s{number}", data_digest=str(number))))
    assert registry.aliases("moves") == Aliases()
    for wanted in (Aliases("1", "2", None), Aliases("2", None, "1"), Aliases("2", None, "1"), Aliases("1", None, None)):
        registry.move_aliases("moves", wanted)
        assert registry.aliases("moves") == wanted


@on_file
def test_a_report_logged_through_a_server_is_read_where_that_server_kept_it_once_it_is_down(settings: Settings, tmp_path: Path) -> None:
    client = connect(settings.mlflow_uri)
    run = client.create_run(client.create_experiment("served", artifact_location="mlflow-artifacts:/7"))
    kept = settings.mlflow_artifacts / "7" / run.info.run_id / "artifacts"
    (kept / "plots").mkdir(parents=True)
    (kept / "plots" / "x.txt").write_text("a plot")
    one = Registered(ModelRef("1", "d", "u", "s", datetime(2026, 1, 1, tzinfo=UTC)), LINEAGE, run.info.run_id, passed=True)
    assert (Registry(settings).fetch_report(one, "plots", tmp_path / "fetched") / "x.txt").read_text() == "a plot"
    assert Registry(settings).fetch_report(one, "plots/x.txt", tmp_path / "one").read_text() == "a plot"
    with pytest.raises(OutsideError, match="Start MLflow"):
        Registry(settings).fetch_report(one, "absent", tmp_path / "none")


LOADED_ELSEWHERE = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(f"models:/{sys.argv[2]}@champion")
assert "adapters" not in sys.modules
frame = pd.read_json(sys.argv[3])
print([round(float(one), 9) for one in model.predict(frame)], [one.type.name for one in model.metadata.signature.inputs.inputs])
print(len(model.input_example), sorted(model.metadata.metadata))
"""


@pytest.mark.parametrize(("settings", "task"), [("file", "regression"), ("server", "binary")], indirect=["settings"])
def test_a_stranger_loads_it_with_mlflow_alone_and_gets_the_packages_answers(settings: Settings, tmp_path: Path, task: str) -> None:
    registry, name = Registry(settings), f"stranger_{task}"
    done = registry.register(registration(tmp_path, name, task))
    registry.move_aliases(name, Aliases("1"))
    asked = rows(task).tail(4)[["a", "n", "kind"]]
    asked.to_json(tmp_path / "asked.json", orient="records")
    command = [sys.executable, "-c", LOADED_ELSEWHERE, settings.mlflow_uri, name, str(tmp_path / "asked.json")]
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    said = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    answers = load_package(cached_package(settings, done.model), done.model.digest).predict(asked)
    assert said[0] == f"{[round(float(one), 9) for one in answers]} {['double', 'long', 'string']}"
    assert said[1] == "3 ['package_digest']"


@on_file
def test_requirements_are_pinned_exactly(settings: Settings, tmp_path: Path) -> None:
    import sklearn

    done = Registry(settings).register(registration(tmp_path, "pinned"))
    model = Path(done.model.uri.removeprefix("file://")).parents[1]
    lines = (model / "requirements.txt").read_text().splitlines()
    assert f"scikit-learn=={sklearn.__version__}" in lines
    assert all("==" in line for line in lines)


def test_a_server_that_is_not_there_is_said_within_seconds(tmp_path: Path) -> None:
    settings = replace(read_settings(tmp_path / "home", tmp_path), mlflow_uri="http://127.0.0.1:9")
    with pytest.raises(OutsideError, match=r"MLflow at http://127\.0\.0\.1:9 failed"):
        Registry(settings).aliases("nobody")


@on_file
def test_a_version_that_somebody_else_registered_is_not_taken_for_one_of_ours(settings: Settings) -> None:
    client = connect(settings.mlflow_uri)
    client.create_registered_model("foreign")
    run = client.create_run("0")
    client.create_model_version("foreign", run.info.artifact_uri, run.info.run_id, await_creation_for=0)
    with pytest.raises(UsageError, match="was not registered by Understudy"):
        Registry(settings).model("foreign", "1")


def test_the_key_of_a_lineage_changes_with_everything_that_decides_a_fit() -> None:
    changed = [
        replace(LINEAGE, data_digest="x"),
        replace(LINEAGE, spec_digest="x"),
        replace(LINEAGE, commit=None),
        replace(LINEAGE, clean=False),
        replace(LINEAGE, clean=None),
        replace(LINEAGE, environment="x"),
    ]
    assert len({LINEAGE.key, *(one.key for one in changed)}) == 7
    assert replace(LINEAGE, snapshot="sameRows").key == LINEAGE.key


@on_file
def test_a_monitors_report_is_beside_the_version_and_the_next_at_the_same_place_replaces_it(settings: Settings, tmp_path: Path) -> None:
    registry = Registry(settings)
    one = registry.register(registration(tmp_path, "watched"))
    for said in ("first", "second"):
        (tmp_path / "seen").mkdir(exist_ok=True)
        (tmp_path / "seen" / "findings.json").write_text(said)
        registry.keep_report("watched", one.model.version, tmp_path / "seen", "monitor/07")
    kept = registry.fetch_report(one, "monitor", tmp_path / "back")
    assert {path.relative_to(kept).as_posix(): path.read_text() for path in kept.rglob("*") if path.is_file()} == {
        "07/findings.json": "second"
    }
    with pytest.raises(UsageError, match="no version '99'"):
        registry.keep_report("watched", "99", tmp_path / "seen", "monitor/07")
