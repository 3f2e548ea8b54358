"""Scoring, evaluation and checks on a real Dask scheduler with two worker processes, beside one worker and beside this process.

Each comes out the same, which is checked.
A worker has one thread, and so has this process (OMP_NUM_THREADS=1): what is compared is workers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from adapters import checks_there
from adapters.cluster import cluster_of
from adapters.ledger import Ledger
from adapters.package_store import load_package, read_files, write_package
from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.settings import Settings, read_settings
from benchmarks.frame import Bench, Row
from contracts.package import package_digest
from contracts.rollout import Act, Decision, ModelRef, Phase, Route, fresh_state
from flows.score import Sizes, score
from flows.scoring.blocks import in_blocks
from flows.scoring.remote import OnCluster, Shipped
from flows.stages.check import check_file
from training.fit import fit

ROWS, PARTS = 1_000_000, 16
ROOT = Path(__file__).parents[1]
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SPEC = """
name: rows
task: regression
source: {kind: file, path: none.csv}
columns: {time: at, target: y, features: {numeric: [a, b, c, d, e, f, g, h]}}
train: {holdout: 1h, estimator: sklearn.ensemble.HistGradientBoostingRegressor}
gates: [{metric: mae, max: 100}]
rollout: {stages: [{kind: shadow, loss: absolute_error}]}
"""


def main(arguments: list[str] | None = None) -> int:
    """Run it and write the result; exit 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="that are scored and checked; a quarter of them are evaluated")
    rows = parser.parse_args(arguments).rows
    bench = Bench("dask", ["dask", "distributed", "pyarrow", "scikit-learn"])
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        settings, pipeline = _world(place)
        _table(place / "rows.parquet", rows)
        _table(place / "quarter.parquet", rows // 4)
        checks_there.ROWS_PER_PART = max(1, rows // PARTS)
        found = {0: _all(settings, pipeline, place, "here")}
        for workers in (1, 2):
            with _cluster(place, workers) as address:
                found[workers] = _all(replace(settings, dask=address), pipeline, place, f"workers{workers}")
            for what, (_, told) in found[workers].items():
                if told != found[0][what][1]:
                    raise SystemExit(f"{what}: {workers} workers said otherwise")
        for what, count in (("score", rows), ("evaluate", rows // 4), ("check", rows)):
            two, one, here = (found[workers][what][0] for workers in (2, 1, 0))
            told = f"{what} {count:,} rows × 8 columns, s: two workers"
            bench.add(Row(told, two, one, "one worker", 0.65 if what == "score" else None))
            bench.add(Row(told, two, here, "this process"))
    return bench.finish()


def _all(settings: Settings, pipeline: Pipeline, place: Path, name: str) -> dict[str, tuple[float, str]]:
    """Return seconds and what came out, of scoring, evaluation and checks."""
    timed = {"score": _timed(settings, pipeline, place, name)}
    for what, act in (("evaluate", _evaluated), ("check", _checked)):
        act(settings, pipeline, place)  # loads what is loaded once
        began = time.perf_counter()
        said = act(settings, pipeline, place)
        timed[what] = time.perf_counter() - began, said
    return timed


def _evaluated(settings: Settings, pipeline: Pipeline, place: Path) -> str:
    """Let the package answer a quarter of the rows, in blocks, as an evaluation does."""
    rows = pd.read_parquet(place / "quarter.parquet")
    folder = place / "package"
    files = read_files(folder)
    digest = package_digest(files)
    with cluster_of(settings, pipeline.spec.compute) as cluster:
        if cluster is None:
            return hashlib.sha256(in_blocks(load_package(folder, digest), rows).tobytes()).hexdigest()
        return hashlib.sha256(OnCluster(cluster, Shipped(digest, files)).predict(rows).tobytes()).hexdigest()


def _checked(settings: Settings, _pipeline: Pipeline, place: Path) -> str:
    """Check the rows: limits on each column, one that is unique, and the distinct values of another."""
    suite = [{"type": "expect_column_values_to_be_between", "kwargs": {"column": name, "max_value": 4}} for name in "abcdefgh"]
    suite += [{"type": "expect_column_values_to_be_unique", "kwargs": {"column": "a"}}]
    suite += [{"type": "expect_column_unique_value_count_to_be_between", "kwargs": {"column": "b", "min_value": 1}}]
    (place / "pipelines" / "rows" / "suite.json").write_text(json.dumps({"name": "rows", "expectations": suite}))
    said = check_file(settings, load_pipeline(settings, "rows"), place / "rows.parquet")
    return repr([replace(one, engine="columnar") for one in said.results])


def _world(place: Path) -> tuple[Settings, Pipeline]:
    """Return a place whose pipeline has a champion of 200 trees."""
    (place / "pipelines" / "rows").mkdir(parents=True)
    (place / "pipelines" / "rows" / "pipeline.yaml").write_text(_SPEC)
    (place / "pipelines" / "rows" / "params.yaml").write_text("seed: 0\nestimator: {max_iter: 200}\n")
    settings = read_settings(place / "home", place / "pipelines")
    settings.home.mkdir()
    pipeline = load_pipeline(settings, "rows")
    frame = _rows(20_000, 0)
    frame = frame.assign(event_time=pd.date_range("2026-01-01", periods=len(frame), freq="1min", tz="UTC"), y=frame.sum(axis=1))
    done = fit(frame, pipeline.spec, pipeline.params, None)
    package = write_package(place / "package", done.files)
    model = ModelRef("1", package_digest(done.files), package.as_uri(), "s000000000000", done.cutoff)
    ledger = Ledger(settings.ledger_url)
    ledger.save(Decision(Act.BOOTSTRAP, replace(fresh_state("rows"), revision=1, phase=Phase.IDLE, route=Route(1, model, None)), "b"), _NOW)
    ledger.close()
    return settings, pipeline


def _rows(count: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(count, 8)), columns=list("abcdefgh"))


def _table(path: Path, rows: int) -> None:
    schema = pa.schema([(name, pa.float64()) for name in "abcdefgh"])
    with parquet.ParquetWriter(path, schema) as writer:
        for part in range(PARTS):
            writer.write_table(pa.Table.from_pandas(_rows(rows // PARTS, part + 1), preserve_index=False).cast(schema))


def _timed(settings: Settings, pipeline: Pipeline, place: Path, name: str) -> tuple[float, str]:
    """Return seconds, and a digest of the bytes of all parts; a small run before it loads what is loaded once."""
    _table(place / "few.parquet", 16_000)
    score(settings, pipeline, place / "few.parquet", place / f"{name}-few", None, Sizes(rows_per_part=1000))
    began = time.perf_counter()
    score(settings, pipeline, place / "rows.parquet", place / name, None, Sizes(rows_per_part=1000))
    seconds = time.perf_counter() - began
    parts = sorted((place / name).glob("*.parquet"))
    return seconds, hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()


@contextmanager
def _cluster(place: Path, workers: int) -> Iterator[str]:
    from distributed import Client

    scheduler_file = place / f"scheduler{workers}.json"
    base = [sys.executable, "-m"]
    commands = [[*base, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]]
    commands += [[*base, "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]] * workers
    processes = [
        subprocess.Popen(
            [*one, "--scheduler-file", str(scheduler_file)],
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for one in commands
    ]
    try:
        with Client(scheduler_file=str(scheduler_file), timeout=60) as client:
            client.wait_for_workers(workers, timeout=120)
            address = client.scheduler.address
        yield address
    finally:
        for one in processes:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait(20)


if __name__ == "__main__":
    sys.exit(main())
