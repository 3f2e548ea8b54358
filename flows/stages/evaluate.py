"""The third stage: candidate and champion answer the same held-out rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from adapters.model_cache import cached_package
from adapters.package_store import LoadedPackage, load_package
from adapters.parquet_files import write_parquet
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.columns import EVENT_TIME
from contracts.rollout import ModelRef
from contracts.spec import PipelineSpec
from flows.stages.fit import FitResult
from flows.stages.work import Work, write_json
from training.compare import Answers, Evaluation, by_row, compare, unmeasured, unseen
from training.threads import threads_for

_POINTS = 60  # of the error over held-out time


def evaluate_stage(settings: Settings, pipeline: Pipeline, fitted: FitResult, champion: ModelRef | None, workdir: Path) -> Evaluation:
    """Measure candidate and champion on the same held-out rows, overall and by slice, and write the measures as JSON.

    Rows that the champion was fitted on are left out; where that leaves none, the champion cannot be measured and the candidate is measured
    on all of them.

    Raises:
        DigestMismatch: the champion's bytes are not the ones approved.
        OutsideError: the champion's package could not be fetched.
    """
    work, spec = Work(workdir), pipeline.spec
    held_out = pd.read_parquet(work.held_out)
    rows = held_out if champion is None else unseen(held_out, pd.Timestamp(champion.cutoff))
    nothing_fair = rows.empty
    if nothing_fair:
        rows = held_out
    candidate = _answers(load_package(work.package, fitted.digest), rows)
    rival = None
    if champion is not None and not nothing_fair:
        rival = _answers(load_package(cached_package(settings, champion), champion.digest), rows)
    overall, slices = compare(spec, rows, candidate, rival)
    found = Evaluation(overall, slices, champion.version if champion else None, len(held_out) - len(rows))
    if nothing_fair:
        found = unmeasured(found)
    _keep(work, spec, rows, candidate, rival)
    write_json(work.result("evaluate"), found)
    return found


def _answers(package: LoadedPackage, rows: pd.DataFrame) -> Answers:
    with threads_for(len(rows)):
        return Answers(package.predict(rows), package.manifest.classes)


def _keep(work: Work, spec: PipelineSpec, rows: pd.DataFrame, candidate: Answers, champion: Answers | None) -> None:
    """Write every row's truth, answers and losses, and the mean loss over time."""
    parts = [pd.DataFrame({EVENT_TIME: rows[EVENT_TIME], "truth": rows[spec.columns.target]})]
    parts += [by_row(spec, rows, one).add_prefix(f"{name}_") for name, one in (("candidate", candidate), ("champion", champion)) if one]
    kept = pd.concat(parts, axis=1)
    write_parquet(kept, work.answers)
    steps = np.arange(len(kept)) * _POINTS // len(kept)
    losses = [name for name in kept.columns if name.endswith("_loss")]
    over_time = kept.groupby(steps).agg({EVENT_TIME: "first", **dict.fromkeys(losses, "mean")})
    over_time.to_csv(work.error_over_time, index=False, float_format="%.6g", date_format="%Y-%m-%dT%H:%M:%SZ")
