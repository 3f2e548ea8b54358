"""The retrain with real parts: every stage, the champion on the same rows, nothing twice; killed anywhere and run again."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.data_repo import DataRepo
from adapters.ledger import Ledger
from adapters.model_cache import cached_package, kept_package
from adapters.onnx_runtime import proved_model
from adapters.package_store import load_package
from adapters.registry import Registry
from adapters.settings import Settings
from contracts.errors import Conflict, DigestMismatch, NotReproducible
from contracts.rollout import Act, Decision, ModelRef, Phase, Route, fresh_state
from contracts.verdict import Outcome
from flows.stages import register
from flows.stages.checked import Checked, keep_checks
from flows.stages.evaluate import evaluate_stage
from flows.stages.fit import fit_stage
from flows.stages.retrain import STAGES, RetrainResult, retrain_local
from flows.stages.work import Work, work_folder
from tests.flows.stages.retrain_world import NAME, TRIGGER, at, build_world, decisions, pipeline_of, run_child, table, things


@pytest.fixture
def world(tmp_path: Path, mlflow_database: Path) -> Settings:
    return build_world(tmp_path, mlflow_database)


def run(settings: Settings, hour: int | None = None, **more: object) -> RetrainResult:
    until = None if hour is None else at(hour)
    return retrain_local(settings, pipeline_of(settings), TRIGGER, until=until, **more)  # type: ignore[arg-type]  # keywords of the test


def make_champion(settings: Settings, model: ModelRef) -> None:
    ledger = Ledger(settings.ledger_url)
    state = replace(fresh_state(NAME), revision=1, phase=Phase.IDLE, route=Route(1, model, None))
    ledger.save(Decision(Act.BOOTSTRAP, state, "a test"), at(0))
    ledger.close()


def test_a_retrain_goes_through_every_stage_in_order_and_leaves_a_version_that_answers(world: Settings) -> None:
    said: list[str] = []
    done = run(world, tell=said.append)
    assert list(done.seconds) == list(STAGES)
    assert (done.new_rows, done.submitted, done.skipped, done.model.version) == (720, True, None, "1")
    assert [one.outcome for one in done.verdicts] == [Outcome.PASS] * 4
    assert "there is no champion to compare with" in done.verdicts[1].reason
    package = load_package(cached_package(world, done.model), done.model.digest)
    assert abs(package.predict(table().tail(50)) - table().tail(50)["y"]).mean() < 2
    proved = proved_model(kept_package(world, done.model.digest) or {})
    assert (proved.engine, kept_package(world, "0" * 64)) == ("onnxruntime", None), proved.why
    assert things(world) == (1, 1, 1, 1, 1)
    assert not list((world.home / "work" / NAME).iterdir()), "its folder is gone"
    assert said[-1].startswith("Seconds by step: ingest ")
    assert "beyond fitting and evaluating: " in said[-1]


def test_a_version_keeps_its_pipeline_files_gates_measures_checks_plots_and_environment(world: Settings, tmp_path: Path) -> None:
    snapshot = STAGES["ingest"](world, pipeline_of(world)).snapshot
    page = tmp_path / "page.html"
    page.write_text("what the suite said")
    keep_checks(world, NAME, DataRepo(world).frame(snapshot), Checked((), 720, 0, str(page)))
    done = run(world, snapshot=snapshot.id)
    registry = Registry(world)
    one = registry.registered(NAME, done.model.version)
    report = registry.fetch_report(one, "", tmp_path / "fetched")
    kept = {str(path.relative_to(report)) for path in report.rglob("*") if path.is_file()}
    assert kept == {
        f"pipeline/{NAME}/pipeline.yaml",
        f"pipeline/{NAME}/params.yaml",
        "evaluate.json",
        "gate.json",
        "checks.json",
        "data-docs/index.html",
        "code.txt",
        "dvc/dvc.lock",
        "environment.txt",
        "machine.txt",
        "predictions.parquet",
        "error_over_time.csv",
        "plots/error_over_time.png",
        "plots/predicted_against_actual.png",
    }
    assert (report / "data-docs" / "index.html").read_text() == "what the suite said"
    assert json.loads((report / "evaluate.json").read_text())["overall"]["rows"] == 72
    assert any(line.startswith("scikit-learn==") for line in (report / "environment.txt").read_text().splitlines())
    assert one.lineage.data_digest == snapshot.digest
    assert one.lineage.spec_digest == pipeline_of(world).spec_digest


def test_the_champion_is_measured_on_the_candidates_held_out_rows_and_a_damaged_candidate_is_not_submitted(world: Settings) -> None:
    first = run(world, 600)
    make_champion(world, first.model)
    params = world.pipelines / NAME / "params.yaml"
    params.write_text("seed: 1\nestimator: {alpha: 1000000.0}\n")
    damaged = run(world)
    assert damaged.submitted is False
    regression = next(one for one in damaged.verdicts if "champion" in one.reason and one.gate == "mae")
    assert (regression.outcome, regression.samples) == (Outcome.FAIL, 72)
    assert Registry(world).registered(NAME, damaged.model.version).passed is False, "it is registered all the same, and says so"
    params.write_text("seed: 1\nestimator: {alpha: 0.4}\n")
    good = run(world)
    assert (good.submitted, good.new_rows, good.skipped) == (True, 0, None)
    assert things(world)[:3] == (2, 3, 2)


def test_rows_the_champion_was_fitted_on_are_left_out_and_where_none_is_left_nothing_is_compared(world: Settings, tmp_path: Path) -> None:
    done = run(world)
    pipeline = pipeline_of(world)
    fitted = fit_stage(world, pipeline, done.snapshot, tmp_path / "work")
    some = evaluate_stage(world, pipeline, fitted, replace(done.model, cutoff=at(718 - 24)), tmp_path / "work")
    assert (some.overall.rows, some.left_out, some.champion) == (25, 47, "1")
    none = evaluate_stage(world, pipeline, fitted, replace(done.model, cutoff=at(9999)), tmp_path / "work")
    assert none.overall.rows == 72
    assert none.overall.champion is not None
    assert set(none.overall.champion.values()) == {None}


def test_where_nothing_new_came_nothing_is_fitted_and_it_says_so_unless_it_is_forced(world: Settings) -> None:
    first = run(world)
    again = run(world)
    assert (again.model, again.verdicts, again.submitted) == (first.model, first.verdicts, True)
    assert again.skipped is not None
    assert "no new row came, and version 1 has the same snapshot, spec, code and environment (its gates were met)" in again.skipped
    assert "fit" not in again.seconds
    forced = run(world, force=True)
    assert (forced.model, forced.skipped) == (first.model, None)
    assert things(world) == (1, 1, 1, 1, 1)


def test_feature_code_that_depends_on_something_undeclared_is_caught_when_it_is_fitted_again(
    tmp_path: Path, mlflow_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {"train": {"holdout": "3d", "estimator": "sklearn.linear_model.Ridge", "features": "features:build"}}
    world = build_world(tmp_path, mlflow_database, **changed)
    (world.pipelines / NAME / "features.py").write_text(
        "import os\ndef build(frame):\n    return frame.assign(x=frame['x'] * float(os.environ['X']))\n"
    )
    monkeypatch.setenv("X", "1")
    assert run(world).model.version == "1"
    monkeypatch.setenv("X", "2")
    with pytest.raises(NotReproducible, match="Something undeclared decides the fit"):
        run(world, force=True)


def test_pipeline_files_that_change_under_a_running_retrain_are_not_registered(world: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    real = register.write_report

    def changed(*args: object) -> Path:
        (world.pipelines / NAME / "params.yaml").write_text("seed: 2\n")
        return real(*args)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(register, "write_report", changed)
    with pytest.raises(Conflict, match="changed while it was fitted"):
        run(world)
    assert things(world)[:3] == (1, 0, 0)


def test_a_package_that_changed_after_it_was_judged_is_not_registered(world: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.stages import retrain

    def judged(pipeline: object, evaluation: object, workdir: Path) -> object:
        (Work(workdir).package / "model.skops").write_bytes(b"something else")
        return STAGES["gate"](pipeline, evaluation, workdir)

    monkeypatch.setattr(retrain, "gate_stage", judged)
    with pytest.raises(DigestMismatch, match="changed after it was judged"):
        run(world)


def test_what_a_killed_run_left_behind_goes_and_a_failed_run_leaves_nothing(world: Settings) -> None:
    left = world.home / "work" / NAME / "killed"
    left.mkdir(parents=True)
    (left / "half").write_text("")

    def fails() -> None:
        with work_folder(world, NAME, "mine") as folder:
            assert [one.name for one in folder.parent.iterdir()] == ["mine"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not list(left.parent.iterdir())


# Where a retrain can be killed, in the order in which it comes by: at every boundary of a stage, and inside the registration.
STEPS = [
    ("flows.stages.retrain", "ingest", "before"),
    ("flows.stages.retrain", "ingest", "after"),
    ("flows.stages.retrain", "fit_stage", "after"),
    ("flows.stages.retrain", "evaluate_stage", "after"),
    ("flows.stages.retrain", "gate_stage", "after"),
    ("flows.stages.register", "write_report", "after"),
    ("mlflow", "MlflowClient.create_registered_model", "after"),
    ("mlflow", "MlflowClient.create_run", "after"),
    ("mlflow", "MlflowClient.create_logged_model", "after"),
    ("mlflow", "MlflowClient.log_artifacts", "after"),
    ("mlflow", "MlflowClient.log_model_artifacts", "after"),
    ("mlflow", "MlflowClient.create_model_version", "before"),
    ("mlflow", "MlflowClient.create_model_version", "after"),
    ("flows.stages.retrain", "register_stage", "after"),
    ("adapters.ledger.store", "Ledger.submit", "before"),
    ("flows.stages.retrain", "submit_stage", "after"),
]


@pytest.mark.parametrize(("module", "name", "when"), STEPS)
def test_killed_at_any_step_and_run_again_there_is_one_snapshot_one_version_one_submission_one_decision(
    world: Settings, module: str, name: str, when: str
) -> None:
    assert run_child(world.home, world.pipelines, module, name, when) == -signal.SIGKILL
    done = run(world)
    assert (done.model.version, done.submitted) == ("1", True)
    assert things(world) == (1, 1, 1, 1, 1)
    assert load_package(cached_package(world, done.model), done.model.digest).digest == done.model.digest
    assert not list((world.home / "work" / NAME).iterdir())
    assert run(world).skipped is not None
    assert decisions(world) == [Act.BOOTSTRAP]
