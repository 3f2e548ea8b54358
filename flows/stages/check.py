"""The suite on a file or on a snapshot, asked for by hand: nothing is kept of it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from adapters import checks_there
from adapters.checks import run_suite, run_suite_on_files, write_failing
from adapters.cluster import cluster_of
from adapters.data_repo import DataRepo
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.snapshot_stream import open_snapshot
from adapters.sources.file_kinds import is_parquet, read_table
from adapters.table_stream import count_rows
from contracts.columns import EVENT_TIME, REASONS
from contracts.errors import UsageError
from contracts.expectation import RowSeverity, SuiteResult
from contracts.snapshot import Snapshot
from contracts.spec import TableFiles
from contracts.verdict import Verdict
from data_checks.history.judge import judge_history
from data_checks.quarantine import severity_of
from flows.stages.clock import traffic_now
from flows.stages.history import history_of


def check_file(settings: Settings, pipeline: Pipeline, file: Path) -> SuiteResult:
    """Run the pipeline's suite on a file; a Parquet file may be of any size, and its failing rows are counted, not listed.

    A Parquet file of more rows than a part goes to the Dask cluster that the settings or the spec name.

    Raises:
        UsageError: there is no suite. SpecError: file or suite is not what it should be. OutsideError: the cluster failed.
    """
    suite, source, engine = _suite(pipeline), pipeline.spec.source, pipeline.spec.checks.engine
    if is_parquet(file):
        return _streamed(settings, pipeline, suite, file)
    return run_suite(
        suite, read_table(file, source if isinstance(source, TableFiles) else TableFiles()), None, pipeline.expectations, engine
    )


def check_snapshot(settings: Settings, pipeline: Pipeline) -> tuple[SuiteResult, tuple[Verdict, ...]]:
    """Run the pipeline's suite on its newest snapshot, and hold the rows that came last against the history before them.

    A snapshot of more rows than a part is written to one file, in order, and checked as such a file is.

    Raises:
        UsageError: there is no suite, or no snapshot. OutsideError: the cluster failed.
    """
    suite, name = _suite(pipeline), pipeline.spec.name
    repo = DataRepo(settings)
    newest = repo.newest(name)
    if newest is None:
        raise UsageError(f"Pipeline '{name}' has no snapshot to check.", f"Name a file, or run: understudy ingest {name}")
    answer = _on_snapshot(settings, pipeline, suite, repo, newest)
    before = next((one for one in reversed(repo.snapshots(name)) if one.id != newest.id), None)
    past = history_of(repo, pipeline.spec, before, traffic_now(settings, pipeline.spec))
    return answer, judge_history(pipeline.spec, _came(repo, newest, before), past)


def _on_snapshot(settings: Settings, pipeline: Pipeline, suite: dict[str, object], repo: DataRepo, newest: Snapshot) -> SuiteResult:
    if newest.rows <= checks_there.ROWS_PER_PART:
        return run_suite(suite, repo.frame(newest), None, pipeline.expectations, pipeline.spec.checks.engine)
    with TemporaryDirectory(dir=settings.home) as place:  # where the workers of a cluster see what is in the home
        whole = Path(place) / f"{newest.id}.parquet"
        with open_snapshot(repo.files(newest), newest.key) as stream:
            stream.write(whole)
        return _streamed(settings, pipeline, suite, whole)


def _streamed(settings: Settings, pipeline: Pipeline, suite: dict[str, object], file: Path) -> SuiteResult:
    engine = pipeline.spec.checks.engine
    many = engine != "great_expectations" and (count_rows(file) or 0) > checks_there.ROWS_PER_PART
    with cluster_of(settings, pipeline.spec.compute) if many else nullcontext() as cluster:
        return run_suite_on_files(suite, [file], None, pipeline.expectations, engine, positions=False, cluster=cluster)


def _came(repo: DataRepo, newest: Snapshot, before: Snapshot | None) -> pd.DataFrame:
    """Return the rows that came last; of a first snapshot, which has no history, only when they happened."""
    if before is None:
        return repo.frame(newest, [EVENT_TIME])
    rows = repo.frame(newest, since=before.watermark)
    return rows[rows[EVENT_TIME] > before.watermark].reset_index(drop=True)


def keep_failing(pipeline: Pipeline, file: Path, answer: SuiteResult, to: Path) -> int:
    """Write the rows of a Parquet file that would be set aside, with their reasons; return how many."""
    which = [place for place, one in enumerate(answer.results) if not one.success and severity_of(one) is RowSeverity.ROW]
    return write_failing(_suite(pipeline), [file], answer, which, REASONS, to)


def _suite(pipeline: Pipeline) -> dict[str, object]:
    if pipeline.suite is None:
        raise UsageError(f"Pipeline '{pipeline.spec.name}' has no suite.", f"Write {pipeline.folder / pipeline.spec.checks.suite}.")
    return pipeline.suite
