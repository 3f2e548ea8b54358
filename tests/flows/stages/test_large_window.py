"""A window several times larger than the memory that fit and evaluation may take: it is streamed, and a sample is fitted."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adapters.data_repo import DataRepo
from adapters.package_store import read_files
from adapters.pipeline_files import load_pipeline
from adapters.settings import Settings, read_settings
from contracts.columns import EVENT_TIME
from contracts.errors import SpecError
from contracts.package import package_digest
from flows.stages.fit import fit_stage, sampled_split
from training.fit import fit

_PARTS, _ROWS, _FEATURES = 9, 200_000, 40
_SPEC: dict[str, Any] = {
    "name": "wide",
    "task": "regression",
    "source": {"kind": "file", "path": "unread.csv"},
    "columns": {"time": "at", "key": ["id"], "target": "y", "features": {"numeric": [f"x{one}" for one in range(_FEATURES)]}},
    "train": {"window": "all", "holdout": "1d", "estimator": "sklearn.linear_model.Ridge", "sample": {"rows": 20_000}},
    "gates": [{"metric": "mae", "max": 5}],
    "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
}


def _world(folder: Path, parts: int, rows: int, **train: Any) -> Settings:
    """Make a snapshot of parts of a day each; y = x0 + 2 x1 + noise. The last one corrects ten rows of the one before."""
    pipeline = folder / "pipelines" / "wide"
    pipeline.mkdir(parents=True)
    (pipeline / "pipeline.yaml").write_text(json.dumps(_SPEC | {"train": _SPEC["train"] | train}))
    (pipeline / "params.yaml").write_text("seed: 5\n")
    settings = read_settings(folder / "home", folder / "pipelines")
    random, repo = np.random.default_rng(1), DataRepo(settings)
    for part in range(parts):
        frame = _part(random, part, rows)
        if part == parts - 1:
            frame.loc[:9, "id"] = np.arange((part - 1) * rows, (part - 1) * rows + 10)
            frame.loc[:9, "y"] += 100
        repo.add("wide", frame, frame.iloc[:0], ["id"])
    return settings


def _part(random: np.random.Generator, part: int, rows: int) -> pd.DataFrame:
    features = {f"x{one}": random.integers(0, 8, rows).astype(float) for one in range(_FEATURES)}
    times = pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(days=part) + pd.to_timedelta(np.arange(rows) * 100, "ms")
    frame = pd.DataFrame({EVENT_TIME: times, "id": np.arange(part * rows, (part + 1) * rows), **features})
    return frame.assign(y=frame["x0"] + 2 * frame["x1"] + random.integers(-1, 2, rows))


_BATCHES = {"estimator": "sklearn.linear_model.SGDRegressor", "sample": None, "batches": {"rows": 20_000}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "fitted"), [({}, 20_000), (_BATCHES, (_PARTS - 1) * _ROWS - 10)], ids=["a sample is fitted", "all rows in batches"]
)
def test_a_window_larger_than_memory_is_streamed(tmp_path: Path, train: dict[str, Any], fitted: int) -> None:
    settings = _world(tmp_path, _PARTS, _ROWS, **train)
    newest = DataRepo(settings).newest("wide")
    assert newest is not None
    window_mb = newest.rows * (_FEATURES + 3) * 8 / 2**20
    command = [sys.executable, "-m", "tests.flows.stages.large_window", str(settings.home), str(settings.pipelines), str(tmp_path / "work")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=280, cwd=Path(__file__).parents[3])
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["fitted"] == fitted
    assert found["held_out"] == found["rows"] == _ROWS
    assert found["mae"] == pytest.approx(2 / 3, abs=0.04)  # the noise's mean size; the last steps of a stochastic descent add to it
    assert found["mb"] < window_mb / 2, f"{found['mb']:.0f} MB of a window of {window_mb:.0f} MB"


def test_a_streamed_window_is_the_one_that_is_read_whole(tmp_path: Path) -> None:
    settings = _world(tmp_path, 4, 500, sample={"rows": 10_000})
    sampled, repo = load_pipeline(settings, "wide"), DataRepo(settings)
    snapshot = repo.newest("wide")
    assert snapshot is not None
    whole_spec = sampled.spec.model_copy(update={"train": sampled.spec.train.model_copy(update={"sample": None})})
    whole = replace(sampled, spec=whole_spec)
    streamed, read = tmp_path / "streamed", tmp_path / "read"
    one, other = (fit_stage(settings, pipeline, snapshot.id, place) for pipeline, place in ((sampled, streamed), (whole, read)))
    assert (one.digest, one.cutoff, one.fitted_rows, one.held_out_rows) == (
        other.digest,
        other.cutoff,
        other.fitted_rows,
        other.held_out_rows,
    )
    assert pd.read_parquet(streamed / "held_out.parquet").equals(pd.read_parquet(read / "held_out.parquet"))


def test_a_sample_is_the_same_however_the_snapshot_is_cut(tmp_path: Path) -> None:
    taken = []
    whole = _part(np.random.default_rng(1), 0, 1000)
    for cut in ([1000], [300, 1000]):
        settings = _world(tmp_path / f"in{len(cut)}", 0, 0, sample={"rows": 100}, holdout="20s")
        repo = DataRepo(settings)
        for low, high in zip([0, *cut], cut, strict=False):
            snapshot = repo.add("wide", whole.iloc[low:high], whole.iloc[:0], ["id"])
        parted, _ = sampled_split(repo, snapshot, load_pipeline(settings, "wide"), tmp_path / f"held{len(cut)}.parquet")
        taken.append(parted.fitted)
    assert len(taken[0]) == 100
    assert taken[0].equals(taken[1])


def test_a_sample_of_several_windows_is_refused(tmp_path: Path) -> None:
    settings = _world(tmp_path, 0, 0, window=["1d", "all"])
    with pytest.raises(SpecError, match=r"train.sample takes rows of one window"):
        load_pipeline(settings, "wide")


def test_a_window_fitted_in_batches_is_the_same_bytes_from_memory_and_however_the_snapshot_is_cut(tmp_path: Path) -> None:
    changed = {"estimator": "sklearn.linear_model.SGDRegressor", "batches": {"rows": 300, "passes": 2}, "sample": None, "holdout": "20s"}
    whole, digests = _part(np.random.default_rng(1), 0, 1000), set()
    for number, cut in enumerate(([1000], [300, 1000], [1, 500, 999, 1000])):
        settings = _world(tmp_path / str(number), 0, 0, **changed)
        repo, pipeline, work = DataRepo(settings), load_pipeline(settings, "wide"), tmp_path / f"work{number}"
        for low, high in zip([0, *cut], cut, strict=False):
            snapshot = repo.add("wide", whole.iloc[low:high], whole.iloc[:0], ["id"])
        done = fit_stage(settings, pipeline, snapshot.id, work)
        digests.add(done.digest)
        assert (done.fitted_rows, done.held_out_rows, done.cutoff) == (800, 200, whole[EVENT_TIME][799])
        assert sorted(one.name for one in work.iterdir()) == ["held_out.parquet", "package"]
    in_memory = fit(repo.frame(snapshot), pipeline.spec, pipeline.params, None)
    assert {package_digest(read_files(tmp_path / "work0" / "package"))} == digests
    assert in_memory.files.items() <= read_files(work / "package").items(), "beside these a package may hold its proof"
