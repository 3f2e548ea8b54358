"""On a Dask cluster everything comes out as it does here, byte by byte; what is wrong with a cluster is named."""

from __future__ import annotations

import operator
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from adapters import cluster
from adapters.cluster import cluster_of
from adapters.ledger import Ledger
from adapters.settings import Settings
from contracts.compute import Compute
from contracts.errors import OutsideError, UsageError
from contracts.rollout import Act, Decision, ModelRef, Phase, Route, fresh_state
from contracts.train import Sample
from flows.score import Sizes, score
from flows.scoring import blocks, remote
from flows.stages import evaluate
from flows.stages.fit import FitResult, fit_stage
from flows.stages.ingest import ingest
from flows.stages.work import Work
from tests.flows.stages.retrain_world import NAME, at, build_world, pipeline_of, table

CODE = "def build(frame):\n    return frame.assign(x=frame['x'] * 0.1)\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_database: Path) -> tuple[Settings, FitResult, Path]:
    """Return a place with a champion that has feature code, and the work folder of its fit."""
    folder = tmp_path_factory.mktemp("dask-world")
    changed = {"train": {"holdout": "10d", "estimator": "sklearn.linear_model.Ridge", "features": "features:build"}}
    settings = build_world(folder, mlflow_database, **changed)
    (settings.pipelines / NAME / "features.py").write_text(CODE)
    data = ingest(settings, pipeline_of(settings)).snapshot
    fitted = fit_stage(settings, pipeline_of(settings), data.id, folder / "work")
    model = ModelRef("1", fitted.digest, (folder / "work" / "package").as_uri(), data.id, fitted.cutoff)
    ledger = Ledger(settings.ledger_url)
    ledger.save(Decision(Act.BOOTSTRAP, replace(fresh_state(NAME), revision=1, phase=Phase.IDLE, route=Route(1, model, None)), "t"), at(0))
    ledger.close()
    return settings, fitted, folder / "work"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix == ".parquet"}


def test_two_workers_write_the_same_bytes_as_this_process_and_go_on_where_a_run_was_killed(
    world: tuple[Settings, FitResult, Path], dask_cluster: str, tmp_path: Path
) -> None:
    settings, *_ = world
    there = replace(settings, dask=dask_cluster)
    rows = table(700).drop(columns="y")
    parquet.write_table(pa.Table.from_pandas(rows[:500], preserve_index=False), tmp_path / "a.parquet", row_group_size=25)
    rows[500:].to_csv(tmp_path / "b.csv", index=False)
    inputs, sizes = [str(tmp_path / "a.parquet"), str(tmp_path / "b.csv")], Sizes(20, 60)
    seen: list[int] = []
    here = score(settings, pipeline_of(settings), inputs, tmp_path / "here", None, sizes)
    done = score(there, pipeline_of(settings), inputs, tmp_path / "there", None, sizes, seen.append)
    assert (done.rows, done.parts, done.kept, seen[-1]) == (700, here.parts, 0, 700)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    (tmp_path / "there" / "a.parquet-00002.parquet").unlink()
    again = score(there, pipeline_of(settings), inputs, tmp_path / "there", None, sizes)
    assert (again.rows, again.kept) == (700, 625)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_the_evaluation_is_the_same_bytes_with_the_rows_answered_by_two_workers(
    world: tuple[Settings, FitResult, Path], dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, fitted, folder = world
    for module in (evaluate, blocks):
        monkeypatch.setattr(module, "BLOCK_ROWS", 50)  # of 240 held-out rows
    work, pipeline = Work(folder), pipeline_of(settings)
    written = (work.result("evaluate"), work.predictions, work.answers, work.error_over_time)
    evaluate.evaluate_stage(settings, pipeline, fitted, None, folder)
    here = [path.read_bytes() for path in written]
    asked: list[int] = []
    real = remote.OnCluster.predict
    monkeypatch.setattr(remote.OnCluster, "predict", lambda model, rows: asked.append(len(rows)) or real(model, rows))
    spec = pipeline.spec.model_copy(update={"compute": Compute(engine="dask", address=dask_cluster)})
    evaluate.evaluate_stage(settings, replace(pipeline, spec=spec), fitted, None, folder)
    assert asked == [240]
    assert [path.read_bytes() for path in written] == here


def test_a_streamed_evaluation_is_the_same_bytes_with_its_pieces_answered_by_two_workers(
    world: tuple[Settings, FitResult, Path], dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, fitted, folder = world
    for module, name, value in ((evaluate, "_WHOLE", 100), (evaluate, "_ROWS_AT_ONCE", 50), (evaluate, "BLOCK_ROWS", 50)):
        monkeypatch.setattr(module, name, value)
    work, pipeline = Work(folder), pipeline_of(settings)
    train = pipeline.spec.train.model_copy(update={"sample": Sample(rows=1000)})
    spec = pipeline.spec.model_copy(update={"train": train})
    written = (work.result("evaluate"), work.predictions, work.answers, work.error_over_time)
    evaluate.evaluate_stage(settings, replace(pipeline, spec=spec), fitted, None, folder)
    here = [path.read_bytes() for path in written]
    asked: list[int] = []
    real = remote.OnCluster.predict_blocks
    monkeypatch.setattr(
        remote.OnCluster, "predict_blocks", lambda model, rows: real(model, (asked.append(len(one)) or one for one in rows))
    )
    evaluate.evaluate_stage(replace(settings, dask=dask_cluster), replace(pipeline, spec=spec), fitted, None, folder)
    assert asked == [50, 50, 50, 50, 40]
    assert [path.read_bytes() for path in written] == here


def test_two_items_for_each_thing_that_the_workers_do_at_once_are_under_way_and_no_more(
    world: tuple[Settings, FitResult, Path], dask_cluster: str
) -> None:
    taken: list[int] = []
    found = {}
    with cluster_of(replace(world[0], dask=dask_cluster), Compute()) as connected:
        assert connected is not None
        for done, (place, answer) in enumerate(connected.each(operator.neg, (taken.append(one) or one for one in range(30)))):
            found[place] = answer
            assert len(taken) == min(30, done + 1 + 2 * 2)
    assert found == {one: -one for one in range(30)}


def test_a_mistake_in_the_rows_is_said_as_it_is_here(world: tuple[Settings, FitResult, Path], dask_cluster: str, tmp_path: Path) -> None:
    settings, *_ = world
    pd.DataFrame({"shop": ["north"]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UsageError, match=r"a\.csv, in the rows from 0 on: Column 'x' is missing"):
        score(replace(settings, dask=dask_cluster), pipeline_of(settings), tmp_path / "a.csv", tmp_path / "out.parquet")


def test_a_cluster_that_is_not_there_not_named_or_other_than_this_machine_is_named(
    world: tuple[Settings, FitResult, Path], dask_cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, *_ = world
    with pytest.raises(UsageError, match="no address is named"), cluster_of(settings, Compute(engine="dask")):
        pass
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1.0)
    with (
        pytest.raises(OutsideError, match=r"127\.0\.0\.1:9 failed"),
        cluster_of(settings, Compute(engine="dask", address="tcp://127.0.0.1:9")),
    ):
        pass
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 10.0)
    here = os.getpid()
    monkeypatch.setattr(cluster, "computed_with", lambda: ["numpy==2" if os.getpid() == here else "numpy==1"])
    with (
        pytest.raises(UsageError, match="answers otherwise: numpy==2 here and numpy==1 there"),
        cluster_of(replace(settings, dask=dask_cluster), Compute()),
    ):
        pass


def test_where_it_is_computed_is_in_no_digest(world: tuple[Settings, FitResult, Path]) -> None:
    settings, *_ = world
    spec = settings.pipelines / NAME / "pipeline.yaml"
    before, text = pipeline_of(settings).spec_digest, spec.read_text()
    spec.write_text(text.replace('"task"', '"compute": {"engine": "dask"}, "task"', 1))
    assert pipeline_of(settings).spec.compute.engine == "dask"
    assert pipeline_of(settings).spec_digest == before
    spec.write_text(text)
