"""The fifth stage: a judged model becomes a version in the registry, whether or not its gates were met."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from pyarrow import parquet  # type: ignore[import-untyped]  # pyarrow ships no types

from adapters.code_version import code_version
from adapters.data_repo import DataRepo
from adapters.environment import environment_digest, environment_text
from adapters.package_store import folder_digest
from adapters.pipeline_files import Pipeline
from adapters.registry import Registered, Registration, Registry
from adapters.settings import Settings
from contracts.errors import Conflict, DigestMismatch
from contracts.events import Trigger
from contracts.lineage import Lineage
from contracts.snapshot import Snapshot
from contracts.verdict import Verdict
from flows.stages.dvc_lock import write_results
from flows.stages.fit import FitResult
from flows.stages.gate import all_passed
from flows.stages.report import write_report
from flows.stages.work import Work
from training.compare import Evaluation, Measures

_EXAMPLE_ROWS = 5


def lineage_of(pipeline: Pipeline, snapshot: Snapshot) -> Lineage:
    """Return the lineage that a fit on a snapshot has now."""
    commit, clean = code_version(pipeline.folder)
    return Lineage(snapshot.id, snapshot.digest, pipeline.spec_digest, commit, clean, environment_digest(environment_text()))


def register_stage(
    settings: Settings,
    pipeline: Pipeline,
    fitted: FitResult,
    evaluation: Evaluation,
    verdicts: tuple[Verdict, ...],
    trigger: Trigger,
    workdir: Path,
) -> Registered:
    """Register the package in the work folder with its report and its lineage; of one lineage there is one version.

    Raises:
        NotReproducible: the same lineage was registered with other bytes.
        DigestMismatch: the package in the work folder is not the one that was judged.
        Conflict: another machine took the snapshot out meanwhile; there is no such version.
        OutsideError: the registry could not take it.
    """
    work = Work(workdir)
    if folder_digest(work.package) != fitted.digest:
        raise DigestMismatch(f"The package in {work.package} changed after it was judged: it is not registered.", "Retrain again.")
    repo = DataRepo(settings)
    with repo.exclusive():  # nobody takes the snapshot out before the version that needs it is registered
        snapshot = repo.get(pipeline.spec.name, fitted.snapshot)
        done = _registered(snapshot, settings, pipeline, fitted, evaluation, verdicts, trigger, work)
    if settings.data_repo_url is not None:
        _still_there(settings, repo, snapshot, done)
    return done


def _still_there(settings: Settings, repo: DataRepo, snapshot: Snapshot, done: Registered) -> None:
    """Whoever takes snapshots out on another machine asks for versions when it has told so: either it saw this one, or it is told here."""
    with repo.exclusive():
        if snapshot.id in {one.id for one in repo.snapshots(snapshot.pipeline)}:
            return
    Registry(settings).withdraw(snapshot.pipeline, done.model.version)
    raise Conflict(
        f"Snapshot {snapshot.id} was taken out on another machine while version {done.model.version} of '{snapshot.pipeline}' came.",
        "The version was withdrawn; retrain on a newer snapshot.",
    )


def _registered(  # what a version is made of
    snapshot: Snapshot,
    settings: Settings,
    pipeline: Pipeline,
    fitted: FitResult,
    evaluation: Evaluation,
    verdicts: tuple[Verdict, ...],
    trigger: Trigger,
    work: Work,
) -> Registered:
    write_results(work, snapshot, fitted)
    given = Registration(
        pipeline=pipeline.spec.name,
        lineage=lineage_of(pipeline, snapshot),
        package=work.package,
        digest=fitted.digest,
        cutoff=fitted.cutoff,
        report=write_report(settings, pipeline, snapshot, work),
        example=_first_rows(work.held_out),
        passed=all_passed(verdicts),
        trigger=trigger,
        metrics=_metrics(fitted, evaluation),
        params=_params(pipeline, fitted),
    )
    return Registry(settings).register(given)


def _first_rows(path: Path) -> pd.DataFrame:
    with parquet.ParquetFile(path) as file:
        first: pd.DataFrame = next(file.iter_batches(_EXAMPLE_ROWS)).to_pandas()
    return first


def _params(pipeline: Pipeline, fitted: FitResult) -> dict[str, str]:
    train = pipeline.spec.train
    found = {"estimator": train.estimator, "window": fitted.window, "holdout": str(train.holdout), "seed": str(pipeline.params.seed)}
    if train.sample is not None:
        found["sample"] = str(train.sample.rows)
    if train.batches is not None:
        found["batches"] = f"{train.batches.rows} rows, {train.batches.passes} times"
    if fitted.tried:
        found["windows"] = ", ".join(one.window for one in fitted.tried)
    return found | {f"estimator.{name}": str(value) for name, value in pipeline.params.estimator.items()}


def _metrics(fitted: FitResult, evaluation: Evaluation) -> dict[str, float]:
    found = {"fitted_rows": float(fitted.fitted_rows), "held_out_rows": float(evaluation.overall.rows)}
    found |= {f"window/{one.window}/loss": one.loss for one in fitted.tried if one.loss is not None}
    found |= _named("", evaluation.overall)
    for column, values in evaluation.slices.items():
        for value, measures in values.items():
            found |= _named(f"{_plain(column)}/{_plain(value)}/", measures)
    return found


def _named(prefix: str, measures: Measures) -> dict[str, float]:
    """Return the candidate's metrics under their own names and the champion's beside them."""
    found = {f"{prefix}{name}": value for name, value in measures.candidate.items()}
    found |= {f"{prefix}champion/{name}": value for name, value in (measures.champion or {}).items()}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}


def _plain(text: str) -> str:
    """Return a text that may be part of a metric's name in MLflow."""
    return "".join(one if one.isalnum() or one in "_-. " else "_" for one in text)
