"""The first stage: new rows from the source become a snapshot, or are refused, or there are none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from adapters.data_repo import DataRepo
from adapters.parquet_files import write_parquet
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.sources import read_new_rows
from contracts.columns import EVENT_TIME
from contracts.errors import BatchRefused, SpecError
from contracts.snapshot import Snapshot
from contracts.spec import PipelineSpec
from contracts.verdict import Outcome, Verdict
from data_checks.history.judge import History, judge_history
from data_checks.quarantine import REASONS, Split, split
from data_checks.schema import schema_conflicts
from data_checks.verdicts import check_verdicts
from flows.stages.checked import Checked, keep_checks
from flows.stages.clock import traffic_now
from flows.stages.history import history_of


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What an ingest did.

    Attributes:
        snapshot: the newest snapshot, whether made now or before.
        new_rows: rows added to it now; 0 where the source had nothing new.
        quarantined: rows of this batch that were set aside.
        verdicts: what the suite and the checks against the history said about this batch; without new rows, how old the newest one is.
        docs: the page of the suite's results, or None.
    """

    snapshot: Snapshot
    new_rows: int
    quarantined: int
    verdicts: tuple[Verdict, ...]
    docs: Path | None


def ingest(settings: Settings, pipeline: Pipeline, until: datetime | None = None) -> IngestResult:
    """Read rows after the newest snapshot's watermark, check them, and add what passes as a snapshot.

    Args:
        settings: where everything is.
        pipeline: which pipeline.
        until: only rows whose label is known by then: event_time + label_delay <= until. When None, a pipeline with `clock: event` takes
            what its traffic says, so that a replay never learns from its future; any other takes every row there is.

    Raises:
        SpecError: the source or the suite is wrong, or the source has no row at all.
        BatchRefused: too many rows failed, or an expectation about the whole batch did; the rows are kept under quarantine/.
    """
    spec = pipeline.spec
    repo = DataRepo(settings)
    known = until or traffic_now(settings, spec)
    known_by = None if known is None else known - spec.columns.label_delay
    with repo.exclusive():
        before = repo.newest(spec.name)
        rows = read_new_rows(spec, before.watermark if before else None, known_by, settings.home / "sources" / spec.name)
        past = history_of(repo, spec, before, known)
        if rows.empty:
            return _nothing_new(spec, before, known_by, past)
        _refuse_if_other_columns(settings, pipeline, before, rows)
        parts, verdicts, docs = _check(settings, pipeline, rows)
        verdicts = (*verdicts, *judge_history(spec, parts.kept, past))
        _keep_aside(settings, pipeline, parts.quarantined, _span(rows))
        _refuse_if_failed(settings, pipeline, rows, parts, verdicts)
        keep_checks(settings, spec.name, parts.kept, Checked(verdicts, len(rows), len(parts.quarantined), str(docs) if docs else None))
        snapshot = repo.add(spec.name, parts.kept, parts.quarantined, spec.columns.key)
    return IngestResult(snapshot, len(parts.kept), len(parts.quarantined), verdicts, docs)


def _nothing_new(spec: PipelineSpec, before: Snapshot | None, until: datetime | None, past: History) -> IngestResult:
    if before is None:
        upto = f" up to {until.isoformat()}" if until else ""
        raise SpecError(f"The source of '{spec.name}' has no row{upto}, and there is no snapshot yet.", "Look at source in pipeline.yaml.")
    return IngestResult(before, 0, 0, judge_history(spec, past.rows.iloc[:0], past), None)


def _check(settings: Settings, pipeline: Pipeline, rows: pd.DataFrame) -> tuple[Split, tuple[Verdict, ...], Path | None]:
    if pipeline.suite is None:
        return Split(rows, rows.iloc[:0]), (), None
    from adapters.checks import run_suite

    docs = settings.home / "data-docs" / pipeline.spec.name / _span(rows)
    answer = run_suite(pipeline.suite, rows, docs, pipeline.expectations, pipeline.spec.checks.engine)
    parts = split(rows, answer)
    verdicts = check_verdicts(answer, len(parts.quarantined), pipeline.spec.checks.max_quarantined)
    return parts, verdicts, Path(answer.docs) if answer.docs else None


def _span(rows: pd.DataFrame) -> str:
    return f"{rows[EVENT_TIME].min():%Y%m%dT%H%M%SZ}-{rows[EVENT_TIME].max():%Y%m%dT%H%M%SZ}"


def _folder(settings: Settings, pipeline: Pipeline) -> Path:
    return settings.home / "quarantine" / pipeline.spec.name


def _keep_aside(settings: Settings, pipeline: Pipeline, quarantined: pd.DataFrame, span: str) -> None:
    if not quarantined.empty:
        write_parquet(quarantined, _folder(settings, pipeline) / f"{span}.parquet")


def _refuse_if_failed(settings: Settings, pipeline: Pipeline, rows: pd.DataFrame, parts: Split, verdicts: tuple[Verdict, ...]) -> None:
    failed = [verdict.reason for verdict in verdicts if verdict.outcome is Outcome.FAIL]
    if parts.kept.empty and not failed:
        failed = [f"none of {len(rows)} rows passed."]
    if failed:
        raise _refusal(settings, pipeline, rows, failed)


def _refuse_if_other_columns(settings: Settings, pipeline: Pipeline, before: Snapshot | None, rows: pd.DataFrame) -> None:
    if before is None:
        return
    empty = [name for name in rows.columns if rows[name].isna().all()]  # a column without a value has no kind
    known = {name: dtype for name, dtype in before.columns.items() if name not in empty}
    conflicts = schema_conflicts(known, {str(name): str(dtype) for name, dtype in rows.dtypes.items()})
    if conflicts:
        raise _refusal(settings, pipeline, rows, conflicts)


def _refusal(settings: Settings, pipeline: Pipeline, rows: pd.DataFrame, reasons: list[str]) -> BatchRefused:
    """Keep a refused batch's rows for looking at, and return the error that says why."""
    path = _folder(settings, pipeline) / f"refused-{_span(rows)}.parquet"
    write_parquet(rows.assign(**{REASONS: " ".join(reasons)}), path)
    return BatchRefused(
        f"A batch of {len(rows)} rows of '{pipeline.spec.name}' was refused: {' '.join(reasons)}",
        f"No snapshot was made. The rows are in {path}; mend the source or the suite, then ingest again.",
    )
