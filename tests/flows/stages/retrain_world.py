"""A small pipeline with real parts, and how to kill a retrain of it at a given line."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.data_repo import DataRepo
from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.registry import Registry
from adapters.registry.connection import connect
from adapters.settings import Settings, read_settings
from contracts.errors import OutsideError
from contracts.events import Cause, Trigger
from contracts.rollout import Act
from flows.stages.tick import tick

NAME = "sales"
TRIGGER = Trigger(Cause.OPERATOR, "a test", "tester")
SPEC: dict[str, Any] = {
    "name": NAME,
    "task": "regression",
    "source": {"kind": "file", "path": ""},
    "columns": {"time": "at", "key": ["id"], "target": "y", "features": {"numeric": ["x"], "categorical": ["shop"]}},
    "train": {"window": "20d", "holdout": "3d", "estimator": "sklearn.linear_model.Ridge"},
    "gates": [
        {"metric": "mae", "max": 5},
        {"metric": "mae", "max_regression": 0.1},
        {"metric": "mae", "slice": "shop", "max_regression": 0.5},
    ],
    "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
}


def table(hours: int = 30 * 24) -> pd.DataFrame:
    """Return rows of a world without drift: y = 3 x + noise, one row an hour."""
    draw = np.random.default_rng(1)
    times = pd.date_range("2026-01-01", periods=hours, freq="1h")
    frame = pd.DataFrame({"at": times.strftime("%Y-%m-%dT%H:%M"), "id": range(hours), "x": draw.normal(size=hours).round(4)})
    return frame.assign(shop=np.where(frame["id"] % 3 == 0, "north", "south"), y=(3 * frame["x"] + draw.normal(0, 1, hours)).round(4))


def at(hour: int) -> datetime:
    """Return a time in that world."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


def build_world(folder: Path, mlflow_database: Path, **changed: Any) -> Settings:
    """Write the pipeline and its data, and give its home a migrated registry."""
    pipeline = folder / "pipelines" / NAME
    pipeline.mkdir(parents=True)
    source = {"kind": "file", "path": str(folder / "rows.csv")}
    (pipeline / "pipeline.yaml").write_text(json.dumps({**SPEC, "source": source, **changed}))
    (pipeline / "params.yaml").write_text("seed: 1\nestimator: {alpha: 0.5}\n")
    table().to_csv(folder / "rows.csv", index=False)
    (folder / "home").mkdir()
    (folder / "home" / "mlflow.db").write_bytes(mlflow_database.read_bytes())
    return read_settings(folder / "home", folder / "pipelines")


def pipeline_of(settings: Settings) -> Pipeline:
    """Return the pipeline as its files are now."""
    return load_pipeline(settings, NAME)


def things(settings: Settings) -> tuple[int, int, int, int, int]:
    """Return how many snapshots, versions, submissions, MLflow runs and MLflow models there are."""
    client = connect(settings.mlflow_uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    ledger = Ledger(settings.ledger_url)
    submitted = ledger.submissions(NAME, waiting=False)
    ledger.close()
    return (
        len(DataRepo(settings).snapshots(NAME)),
        len(client.search_model_versions(f"name = '{NAME}'")),
        len(submitted),
        len(client.search_runs(experiments)),
        len(client.search_logged_models(experiments)),
    )


def decisions(settings: Settings) -> list[Act]:
    """Return what two ticks of the rollout decided."""
    ledger = Ledger(settings.ledger_url)
    for _ in range(2):
        tick(settings, pipeline_of(settings), Registry(settings), ledger)
    found = [one.act for one in ledger.decisions(NAME)]
    ledger.close()
    assert Registry(settings).aliases(NAME).champion == "1"
    return found


def run_child(home: Path, pipelines: Path, module: str, name: str, when: str, prefect: str | None = None) -> int:
    """Run a retrain in a process of its own that kills itself before or after a function, and return its exit code.

    The processes are forked from one that has imported everything and done nothing: an import costs more than the retrain.

    Args:
        name: of the function; with `when` empty nothing happens to it.
        when: `before` or `after`: it is killed there; `fails`: what it did is done, and then something outside fails, once.
        prefect: address of a Prefect server, on which the real flow runs; None for the same stages without one.
    """
    context = multiprocessing.get_context("forkserver")
    preload = ["mlflow.tracking", "mlflow.pyfunc", "flows.stages.retrain", "dvc.repo", "sklearn.pipeline", "skops.io"]
    context.set_forkserver_preload(preload if prefect is None else [*preload, "flows.retrain"])
    child = context.Process(target=_child, args=(str(home), str(pipelines), module, name, when, prefect))
    child.start()
    child.join(120)
    if child.exitcode is None:
        child.kill()
        child.join()
    return int(child.exitcode or 0)


def _child(home: str, pipelines: str, module: str, name: str, when: str, prefect: str | None) -> None:
    if prefect is not None:
        _work_for(home, pipelines, prefect)
    if when:
        _make_fatal(module, name, when)
    if prefect is not None:
        from flows.retrain import retrain

        retrain(NAME)
        return
    from flows.stages.retrain import retrain_local

    settings = read_settings(Path(home), Path(pipelines))
    retrain_local(settings, load_pipeline(settings, NAME), TRIGGER)


def _work_for(home: str, pipelines: str, prefect: str) -> None:
    """Set what a worker would: the process that this one was forked from may have been another test's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "UNDERSTUDY_", "MLFLOW_"))}
    os.environ.clear()
    os.environ.update(kept | {"UNDERSTUDY_HOME": home, "UNDERSTUDY_PIPELINES": pipelines})
    os.environ.update({"PREFECT_API_URL": prefect, "PREFECT_HOME": f"{home}/prefect"})
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()


def _make_fatal(module: str, name: str, when: str) -> None:
    target = importlib.import_module(module)
    *parents, last = name.split(".")
    for parent in parents:
        target = getattr(target, parent)
    real, calls = getattr(target, last), []

    def fatal(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*args, **kwargs)
        if when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        calls.append(when)
        if len(calls) == 1:
            raise OutsideError("What was asked for was done, and the answer was lost.")
        return answer

    setattr(target, last, fatal)
