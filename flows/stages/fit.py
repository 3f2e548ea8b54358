"""The second stage: a snapshot's rows become a package, and the rows held out from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from adapters.data_repo import DataRepo
from adapters.onnx_runtime import OnnxModel, versions_here
from adapters.package_store import coerce, load_files, write_package
from adapters.parquet_files import write_parquet
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.columns import EVENT_TIME
from contracts.package import package_digest
from contracts.snapshot import Snapshot
from contracts.spec import PipelineSpec
from flows.stages.work import Work
from training.fit import Fit, fit
from training.parity.proof import Subject, proved_files
from training.windows import Tried


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
    done = fit(read_rows(repo, snapshot, pipeline.spec), pipeline.spec, pipeline.params, pipeline.feature_code)
    files = done.files | _proof(done)
    write_package(work.package, files)
    write_parquet(done.held_out, work.held_out)
    digest = package_digest(files)
    return FitResult(snapshot_id, done.cutoff, done.fitted_rows, len(done.held_out), digest, done.window, done.tried)


def _proof(done: Fit) -> dict[str, bytes]:
    """Try ONNX Runtime on the package as it will be loaded."""
    loaded = load_files(done.files, package_digest(done.files))
    subject = Subject(loaded.manifest, loaded.model, loaded.build, coerce(done.held_out, loaded.manifest), versions_here())
    return proved_files(subject, done.files, OnnxModel)


def read_rows(repo: DataRepo, snapshot: Snapshot, spec: PipelineSpec) -> pd.DataFrame:
    """Return the rows that the spec's window and holdout can reach, with the columns that fitting and judging need."""
    slices = [gate.slice for gate in spec.gates if gate.slice is not None]
    columns = list(dict.fromkeys([EVENT_TIME, *spec.columns.features.all, spec.columns.target, *slices]))
    reach = spec.train.reach
    if reach is None:
        return repo.frame(snapshot, columns)
    newest = _newest_label(repo, snapshot, spec)
    return repo.frame(snapshot, columns, since=None if newest is None else newest - spec.train.holdout - reach)


def _newest_label(repo: DataRepo, snapshot: Snapshot, spec: PipelineSpec) -> datetime | None:
    """Return the event time of the newest labelled row: mostly among the last rows, so these are looked at first."""
    for since in (snapshot.watermark - spec.train.holdout, None):
        labelled = repo.frame(snapshot, [EVENT_TIME, spec.columns.target], since=since).dropna()
        if not labelled.empty:
            newest: pd.Timestamp = labelled[EVENT_TIME].iloc[-1]
            return newest.to_pydatetime()
    return None
