"""What was set aside, and its way back: rows go through the suite again and enter the next snapshot once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from adapters.batch import Batch
from adapters.checks import run_suite
from adapters.data_repo import DataRepo
from adapters.pipeline_files import Pipeline
from adapters.quarantine_files import QuarantineFiles
from adapters.row_digest import row_digest
from adapters.settings import Settings
from contracts.columns import EVENT_TIME, REASONS
from contracts.errors import BatchRefused, UsageError
from contracts.snapshot import Snapshot
from data_checks.quarantine import Split
from data_checks.release import judge_again, reason_counts, without_reasons


@dataclass(frozen=True, slots=True)
class AsideFile:
    """One file of the quarantine.

    Attributes:
        kind: `aside`, or `refused` for a batch that was refused as a whole.
        snapshot: the first one that knows of these rows; None where their batch never became one.
        reasons: how many rows each reason set aside.
    """

    file: Path
    kind: str
    rows: int
    first: datetime
    last: datetime
    snapshot: str | None
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class Released:
    """What a release did; `snapshot` is None where no row passed."""

    released: int
    still_aside: int
    snapshot: str | None
    reasons: dict[str, int]


def list_aside(settings: Settings, pipeline: Pipeline) -> list[AsideFile]:
    """Return the quarantine of a pipeline, by time: rows set aside, then refused batches."""
    name = pipeline.spec.name
    files, snapshots = QuarantineFiles(settings, name), DataRepo(settings).snapshots(name)
    return [_described(path, "aside", snapshots) for path in files.aside()] + [
        _described(path, "refused", snapshots) for path in files.refused()
    ]


def rows_aside(settings: Settings, pipeline: Pipeline, reason: str = "") -> pd.DataFrame:
    """Return the rows that are set aside, each with its reasons, in order of time; those with a reason that holds a text."""
    paths = QuarantineFiles(settings, pipeline.spec.name).aside()
    frames = [pd.read_parquet(path) for path in paths]
    if not frames:
        return pd.DataFrame()
    rows = pd.concat(frames, ignore_index=True).sort_values(EVENT_TIME, kind="stable", ignore_index=True)
    return rows[_about(rows, reason)].reset_index(drop=True)


def release(settings: Settings, pipeline: Pipeline, why: str, actor: str, reason: str = "") -> Released:
    """Judge the rows that are set aside again by the suite as it is now; those that pass enter the next snapshot, each once.

    Args:
        settings: where everything is.
        pipeline: whose rows.
        why: why they may; kept in the quarantine's record.
        actor: who says so.
        reason: only rows with a reason that holds this text; empty: all.

    Raises:
        UsageError: there is no such row, or no snapshot that they could join.
        BatchRefused: an expectation could not be judged.
    """
    name, repo = pipeline.spec.name, DataRepo(settings)
    files = QuarantineFiles(settings, name)
    with repo.exclusive():
        before = repo.newest(name)
        if before is None:
            raise UsageError(f"'{name}' has no snapshot that rows could join.", f"Make one with: understudy ingest {name}")
        _finish_begun(files, before)
        chosen = {path: pd.read_parquet(path) for path in files.aside()}
        asked = {path: rows[_about(rows, reason)] for path, rows in chosen.items()}
        there = repo.frame(before, before.key) if before.key else None
        parts = {path: _superseded(_judged(pipeline, rows), there) for path, rows in asked.items() if len(rows)}
        if not parts:
            raise UsageError(f"No row of '{name}' is set aside{f' for {reason}' if reason else ''}.", f"See: understudy quarantine {name}")
        stay = sum(len(one.quarantined) for one in parts.values())
        passed = [one.kept for one in parts.values() if not one.kept.empty]
        reasons = reason_counts(pd.concat([one.quarantined for one in parts.values()])) if stay else {}
        if not passed:
            return Released(0, stay, None, reasons)
        rows = pd.concat(passed, ignore_index=True).sort_values(EVENT_TIME, kind="stable", ignore_index=True)
        if before.key:
            rows = rows.drop_duplicates(list(before.key), keep="last", ignore_index=True)
        record = {"id": row_digest(rows), "at": datetime.now(UTC).isoformat(), "actor": actor, "why": why, "rows": len(rows), "stay": stay}
        left = {path: _left(chosen[path], reason, one) for path, one in parts.items()}
        files.begin_release(left, record)
        snapshot = repo.add_batch(name, _batch(pipeline, repo, before, rows))
        files.finish_release({**record, "snapshot": snapshot.id})
    return Released(len(rows), stay, snapshot.id, reasons)


def _finish_begun(files: QuarantineFiles, newest: Snapshot) -> None:
    """A release was killed: where its rows are in a snapshot it is finished, else it never was."""
    record: dict[str, Any] | None = files.begun()
    if record is None:
        return
    if any(one.digest == record["id"] for one in newest.partitions):
        files.finish_release({**record, "snapshot": newest.id})
    else:
        files.drop_release()


def _batch(pipeline: Pipeline, repo: DataRepo, before: Snapshot, rows: pd.DataFrame) -> Batch:
    source = pipeline.spec.source
    marks = repo.marks(before)
    return Batch(
        [], before.key, before, late=rows, quarantined=-len(rows), marks=marks, lateness=source.lateness, retention=source.retention
    )


def _superseded(judged: Split, there: pd.DataFrame | None) -> Split:
    """A row whose key came in again meanwhile stays aside: the newer one counts, and must not be replaced by the older."""
    if there is None or judged.kept.empty:
        return judged
    names = list(there.columns)
    known = pd.MultiIndex.from_frame(judged.kept[names]).isin(pd.MultiIndex.from_frame(there))
    older = judged.kept[known].assign(**{REASONS: f"superseded({', '.join(names)})"})
    return Split(judged.kept[~known].reset_index(drop=True), pd.concat([judged.quarantined, older], ignore_index=True))


def _judged(pipeline: Pipeline, rows: pd.DataFrame) -> Split:
    plain = without_reasons(rows)
    if pipeline.suite is None:
        return Split(plain, plain.iloc[:0].assign(**{REASONS: ""}))
    try:
        return judge_again(plain, run_suite(pipeline.suite, plain, None, pipeline.expectations, pipeline.spec.checks.engine))
    except ValueError as error:
        raise BatchRefused(f"The rows cannot be judged again: {error}", "Mend the suite.") from error


def _left(rows: pd.DataFrame, reason: str, judged: Split) -> pd.DataFrame:
    """What a file holds afterwards: rows that nobody asked about, and those that fail still, with their reasons of now."""
    return pd.concat([rows[~_about(rows, reason)], judged.quarantined], ignore_index=True).sort_values(
        EVENT_TIME, kind="stable", ignore_index=True
    )


def _about(rows: pd.DataFrame, reason: str) -> pd.Series:
    return rows[REASONS].str.contains(reason, regex=False)


def _described(path: Path, kind: str, snapshots: list[Snapshot]) -> AsideFile:
    rows = pd.read_parquet(path, columns=[EVENT_TIME, REASONS])
    first, last = rows[EVENT_TIME].min().to_pydatetime(), rows[EVENT_TIME].max().to_pydatetime()
    knows = next((one.id for one in snapshots if one.watermark >= last), None)
    return AsideFile(path, kind, len(rows), first, last, knows, reason_counts(rows))
