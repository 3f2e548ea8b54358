"""Batch inference: tables of any size in, predictions and their lineage out; killed anywhere and run again, every row is there once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.cluster import cluster_of
from adapters.file_lock import file_lock
from adapters.model_cache import cached_package
from adapters.package_store import load_package, read_files
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.sources.file_kinds import is_parquet
from adapters.sources.times import time_columns
from adapters.table_stream import Wanted, join_parts
from contracts.errors import UnderstudyError, UsageError
from contracts.package import Manifest
from contracts.rollout import ModelRef
from contracts.spec import TableFiles
from flows.scoring.answer import How, Part, answer_task
from flows.scoring.job import Job, finish_job, give_up, job_at, keep_job
from flows.scoring.plan import find_inputs, plan
from flows.scoring.remote import Shipped, answer_there
from flows.stages.retrain import champion_of

ROWS_PER_GROUP = 65_536
ROWS_PER_PART = 1_000_000


@dataclass(frozen=True, slots=True)
class Scored:
    """What was answered, and by whom.

    Attributes:
        version, digest, snapshot: of the model; the same stand in the output's metadata.
        parts: that the rows were answered in. kept: rows of these that an earlier run had answered.
    """

    output: Path
    rows: int
    version: str
    digest: str
    snapshot: str
    parts: int
    kept: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is held and answered at once, and how much a killed run can lose."""

    rows_per_group: int = ROWS_PER_GROUP
    rows_per_part: int = ROWS_PER_PART


def score(
    settings: Settings,
    pipeline: Pipeline,
    source: str | Path | Sequence[str],
    output: Path,
    version: str | None = None,
    sizes: Sizes = Sizes(),
    tell: Callable[[int], None] = lambda _: None,
) -> Scored:
    """Answer every row of files, in order, holding one row group at a time; what an earlier, killed run answered is not answered again.

    Args:
        settings: where everything is.
        pipeline: whose model.
        source: files, folders or patterns of CSV, TSV, JSON Lines (each also gzipped) and Parquet.
        output: a Parquet or CSV file, which appears whole; or a folder, in which parts appear whole. It holds the key and the time columns
            where the input has them; `prediction`, or `probability` and `label`.
        version: which; the champion when None, or who began.
        sizes: of groups and parts.
        tell: called with the number of rows done.

    Raises:
        UsageError: no such version, no champion, no input, no row, or a column that the model needs is missing or of another type.
        SpecError: a file cannot be read.
        OutsideError: the package could not be fetched, or the disk could not take the output.
        DigestMismatch: the package is not the one approved.
    """
    inputs = find_inputs([str(source)] if isinstance(source, str | Path) else source)
    _look_at_output(output, inputs)
    whole = is_parquet(output) or output.name.lower().endswith((".csv", ".csv.gz"))
    place = output.with_name(f".{output.name}.parts") if whole else output
    with file_lock(settings.home / "locks" / f"score-{hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:16]}", 5.0):
        job = _job(settings, pipeline.spec.name, version, place, restart=whole)
        try:
            parts = list(_answer(settings, pipeline, job, place, inputs, sizes, tell))
            rows = sum(one.rows for one in parts)
            if not rows:
                raise UsageError(f"{', '.join(map(str, inputs[:3]))} has no row.", "Nothing was written.")
            if whole:
                _join(parts, place, output, _lineage(job) | {"understudy.inputs": json.dumps(list(map(str, inputs)))})
            else:
                finish_job(place, job, [one.name for one in parts], rows)
        except UnderstudyError:
            give_up(place)
            raise
    kept = sum(one.rows for one in parts if one.kept)
    return Scored(output, rows, job.model.version, job.model.digest, job.model.snapshot, len(parts), kept)


def _look_at_output(output: Path, inputs: Sequence[Path]) -> None:
    if any(output.exists() and output.samefile(one) for one in inputs):
        raise UsageError(f"{output} is the input.", "Name another file as output.")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"The folder {output.absolute().parent} is not there.", "Make it first.")


def _join(parts: Sequence[Part], place: Path, output: Path, metadata: Mapping[str, str]) -> None:
    join_parts([place / one.name for one in parts], output, metadata)
    shutil.rmtree(place)


def _job(settings: Settings, name: str, version: str | None, place: Path, *, restart: bool) -> Job:
    """Return the job that was begun in a place, or begin one; parts of another version are never mixed with these."""
    before = job_at(place)
    if before is not None and version is None and before.rows is None and before.pipeline == name:
        keep_job(place, before)
        return before
    job = Job(name, _model(settings, name, version))
    if before is not None and (before.pipeline, before.model.digest) != (name, job.model.digest):
        if not restart:
            raise UsageError(
                f"The folder {place} holds answers of '{before.pipeline}', version {before.model.version}.", "Name another folder."
            )
        shutil.rmtree(place)
    keep_job(place, job)
    return job


def _model(settings: Settings, name: str, version: str | None) -> ModelRef:
    if version is not None:
        from adapters.registry import Registry

        return Registry(settings).model(name, version)
    champion = champion_of(settings, name)
    if champion is None:
        raise UsageError(f"Pipeline '{name}' has no champion yet.", f"Name a --version, or see: understudy status {name}")
    return champion


def _answer(
    settings: Settings, pipeline: Pipeline, job: Job, place: Path, inputs: list[Path], sizes: Sizes, tell: Callable[[int], None]
) -> Iterator[Part]:
    """Answer all tasks, here or on the cluster that the spec or the settings name, and yield their parts in order."""
    folder, digest = cached_package(settings, job.model), job.model.digest
    package = load_package(folder, digest)
    source = pipeline.spec.source
    files = source if isinstance(source, TableFiles) else TableFiles()
    per_part = max(1, sizes.rows_per_part // sizes.rows_per_group)
    how = How(place, _wanted(pipeline, package.manifest), files, sizes.rows_per_group, per_part, _lineage(job))
    tasks, done = list(plan(inputs, sizes.rows_per_part)), _Counter(tell)
    with cluster_of(settings, pipeline.spec.compute) as cluster:
        if cluster is None:
            for task in tasks:
                yield from answer_task(task, package, how, done.add)
            return
        found: dict[int, list[Part]] = {}
        for number, parts in cluster.each(answer_there, tasks, Shipped(digest, read_files(folder)), how):
            found[number] = parts
            done.add(sum(one.rows for one in parts))
        yield from (part for number in range(len(tasks)) for part in found[number])


class _Counter:
    """Turns further rows into rows so far."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell, self._rows = tell, 0

    def add(self, rows: int) -> None:
        self._rows += rows
        self._tell(self._rows)


def _wanted(pipeline: Pipeline, manifest: Manifest) -> Wanted:
    columns, kinds = pipeline.spec.columns, manifest.columns
    carried = tuple(dict.fromkeys([*columns.key, *time_columns(columns)]))
    return Wanted(tuple(kinds), tuple(name for name, kind in kinds.items() if kind == "str"), carried)


def _lineage(job: Job) -> dict[str, str]:
    model = job.model
    known = {
        "pipeline": job.pipeline,
        "version": model.version,
        "digest": model.digest,
        "snapshot": model.snapshot,
        "cutoff": model.cutoff.isoformat(),
    }
    return {f"understudy.{key}": value for key, value in known.items()}
