"""The second stage: a snapshot's rows become a package, and the rows held out from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
from pyarrow import parquet

from adapters.data_repo import DataRepo
from adapters.onnx_runtime import OnnxModel, versions_here
from adapters.package_store import coerce, load_files, write_package
from adapters.parquet_files import write_parquet
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.snapshot_stream import SnapshotStream, open_snapshot
from adapters.table_stream import parquet_groups, regrouped
from contracts.columns import EVENT_TIME
from contracts.package import package_digest
from contracts.snapshot import Snapshot
from contracts.spec import PipelineSpec
from flows.stages.sampled_rows import ends, take_sample
from flows.stages.work import Work
from training.fit import Fit, Split, Streamed, fit, fit_split, fit_streamed, held_out_all, held_out_none
from training.parity.proof import Subject, proved_files
from training.windows import Tried

_FIRST_ROWS = 10_000  # held-out rows of a streamed window on which a package is tried


@dataclass(frozen=True, slots=True)
class FitResult:
    """What was fitted; the package and the held-out rows are in the work folder.

    Attributes:
        cutoff: greatest event time of a fitted row.
        digest: of the package.
        window: the one that was fitted. tried: what each of several was worth.
    """

    snapshot: str
    cutoff: datetime
    fitted_rows: int
    held_out_rows: int
    digest: str
    window: str
    tried: tuple[Tried, ...] = ()

    @property
    def choice(self) -> str:
        """One sentence on the window that was chosen; empty where there was no choice."""
        if not self.tried:
            return ""
        worth = ", ".join(f"{one.window} {'not fitted' if one.loss is None else format(one.loss, '.4g')}" for one in self.tried)
        return f"window {self.window} was chosen by the loss on the newest rows before the holdout ({worth})"


def fit_stage(settings: Settings, pipeline: Pipeline, snapshot_id: str, workdir: Path) -> FitResult:
    """Fit the pipeline's estimator on a snapshot and write the package.

    Raises:
        UsageError: there is no such snapshot, a column is not in it, or its rows cannot be fitted.
        SpecError: the estimator cannot be built.
        OutsideError: the snapshot's bytes could not be brought.
    """
    repo, work = DataRepo(settings), Work(workdir)
    snapshot = repo.get(pipeline.spec.name, snapshot_id)
    if pipeline.spec.train.batches is not None:
        streamed, held_out = streamed_window(repo, snapshot, pipeline.spec, work)
        done = fit_streamed(streamed, pipeline.spec, pipeline.params, pipeline.feature_code)
        work.window.unlink()
    elif pipeline.spec.train.sample is None:
        done = fit(read_rows(repo, snapshot, pipeline.spec), pipeline.spec, pipeline.params, pipeline.feature_code)
        write_parquet(done.held_out, work.held_out)
        held_out = len(done.held_out)
    else:
        parts, held_out = sampled_split(repo, snapshot, pipeline, work.held_out)
        done = fit_split(parts, pipeline.spec, pipeline.params, pipeline.feature_code)
    files = done.files | _proof(done)
    write_package(work.package, files)
    digest = package_digest(files)
    return FitResult(snapshot_id, done.cutoff, done.fitted_rows, held_out, digest, done.window, done.tried)


def needed_columns(spec: PipelineSpec) -> list[str]:
    """Return the columns that fitting and judging need."""
    slices = [gate.slice for gate in spec.gates if gate.slice is not None]
    return list(dict.fromkeys([EVENT_TIME, *spec.columns.features.all, spec.columns.target, *slices]))


def _proof(done: Fit) -> dict[str, bytes]:
    """Try ONNX Runtime on the package as it will be loaded."""
    loaded = load_files(done.files, package_digest(done.files))
    subject = Subject(loaded.manifest, loaded.model, loaded.build, coerce(done.held_out, loaded.manifest), versions_here())
    return proved_files(subject, done.files, OnnxModel)


def read_rows(repo: DataRepo, snapshot: Snapshot, spec: PipelineSpec) -> pd.DataFrame:
    """Return the rows that the spec's window and holdout can reach, with the columns that fitting and judging need."""
    columns = needed_columns(spec)
    reach = spec.train.reach
    if reach is None:
        return repo.frame(snapshot, columns)
    newest = _newest_label(repo, snapshot, spec)
    return repo.frame(snapshot, columns, since=None if newest is None else newest - spec.train.holdout - reach)


def sampled_split(repo: DataRepo, snapshot: Snapshot, pipeline: Pipeline, held_out: Path) -> tuple[Split, int]:
    """Stream a snapshot: a sample of the window to fit, and every held-out row to a Parquet file, in order of event time.

    Returns:
        the split, with the first of the held-out rows, and how many these are in all. Its cutoff is the newest row of the window,
        sampled or not.

    Raises:
        UsageError: nothing is left to fit on or to hold out.
    """
    spec, columns = pipeline.spec, needed_columns(pipeline.spec)
    with open_snapshot(repo.files(snapshot), snapshot.key) as stream:
        after, edge = ends(stream, spec)
        taken, cutoff = take_sample(stream, snapshot, pipeline, columns, after, edge)
        if cutoff is None:
            raise held_out_all(spec)
        first, rows = _hold_out(stream, spec, edge, held_out)
    return Split(taken.select(columns).to_pandas(), first, cutoff, pd.Timestamp(edge)), rows


def streamed_window(repo: DataRepo, snapshot: Snapshot, spec: PipelineSpec, work: Work) -> tuple[Streamed, int]:
    """Stream a snapshot: the window to a Parquet file of batches, and the held-out rows to another, both in order of event time.

    Returns:
        the window, with the first of the held-out rows, and how many these are in all.

    Raises:
        UsageError: nothing is left to fit on or to hold out.
    """
    train, target, columns = spec.train, spec.columns.target, needed_columns(spec)
    if train.batches is None:
        raise ValueError("a window is fitted in batches where the spec asks for it")
    with open_snapshot(repo.files(snapshot), snapshot.key) as stream:
        after, edge = ends(stream, spec)
        tables = (one.select(columns) for one in stream.tables(columns, target, after, edge, ordered=True))
        since, cutoff, count = None, None, 0
        work.window.parent.mkdir(parents=True, exist_ok=True)
        with parquet_groups(work.window, {}) as groups:
            for batch in regrouped(tables, train.batches.rows):
                groups.add(batch)
                times = batch[EVENT_TIME]
                since, cutoff, count = since or times[0].as_py(), times[-1].as_py(), count + len(batch)
        if since is None or cutoff is None:
            raise held_out_all(spec)
        first, rows = _hold_out(stream, spec, edge, work.held_out)
    return Streamed(lambda: _batches(work.window), count, since, cutoff, first), rows


def _batches(path: Path) -> Iterator[pd.DataFrame]:
    with parquet.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number).to_pandas()


def _hold_out(stream: SnapshotStream, spec: PipelineSpec, edge: datetime, path: Path) -> tuple[pd.DataFrame, int]:
    """Write the held-out rows to a Parquet file; return the first of them, and how many they are."""
    columns, rows, first = needed_columns(spec), 0, []
    path.parent.mkdir(parents=True, exist_ok=True)
    with parquet_groups(path, {}) as groups:
        for table in stream.tables(columns, spec.columns.target, edge, None, ordered=True):
            groups.add(table.select(columns))
            first += [table.select(columns)] if rows < _FIRST_ROWS else []
            rows += len(table)
    if not rows:
        raise held_out_none(spec)
    return pa.concat_tables(first).to_pandas(), rows


def _newest_label(repo: DataRepo, snapshot: Snapshot, spec: PipelineSpec) -> datetime | None:
    """Return the event time of the newest labelled row: mostly among the last rows, so these are looked at first."""
    for since in (snapshot.watermark - spec.train.holdout, None):
        labelled = repo.frame(snapshot, [EVENT_TIME, spec.columns.target], since=since).dropna()
        if not labelled.empty:
            newest: pd.Timestamp = labelled[EVENT_TIME].iloc[-1]
            return newest.to_pydatetime()
    return None
