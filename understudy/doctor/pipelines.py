"""The pipelines: files that are read, a source that has rows with the named columns, an estimator that is installed."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

from adapters.pipeline_files import Pipeline, list_pipelines, load_pipeline
from adapters.settings import Settings
from contracts.errors import UnderstudyError, UsageError
from contracts.spec import FileSource, PipelineSpec, TimeParts
from understudy.doctor.finding import Finding, ok, warning, wrong


def look_at_pipelines(settings: Settings, name: str | None) -> Iterator[Finding]:
    """Yield what was found about one pipeline and its source, or about the files of all.

    Raises:
        UsageError: there is no pipeline of this name.
    """
    names = list_pipelines(settings)
    if name is not None and name not in names:
        load_pipeline(settings, name)  # says which there are
    if not names:
        yield warning("pipelines", f"There is none in {settings.pipelines}.", "Make one: understudy init NAME --data FILE --target COL")
    for one in [name] if name else names:
        subject = f"pipeline {one}"
        try:
            loaded = load_pipeline(settings, one)
        except UsageError as error:
            yield wrong(subject, error.message, error.remedy)
            continue
        yield ok(subject, f"{loaded.spec.task}, {len(loaded.spec.columns.features.all)} features, {loaded.spec.train.estimator}")
        yield from _parts(loaded)
        if name is not None:
            yield (
                _files(loaded.spec, loaded.spec.source) if isinstance(loaded.spec.source, FileSource) else _elsewhere(settings, loaded.spec)
            )


def _parts(loaded: Pipeline) -> Iterator[Finding]:
    top = loaded.spec.train.estimator.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        yield wrong("estimator", f"'{loaded.spec.train.estimator}': {top} is not installed.", "Install it, or name another estimator.")
    if loaded.suite is None:
        yield warning(
            "suite", f"{loaded.folder / loaded.spec.checks.suite} is not there: batches are not checked.", "understudy init writes one."
        )


def _elsewhere(settings: Settings, spec: PipelineSpec) -> Finding:
    from adapters.sources import look

    try:
        return ok("source", f"{spec.source.kind}: {look(spec, settings.home / 'sources' / spec.name)}")
    except UnderstudyError as error:
        return wrong("source", error.message, error.remedy)


def _files(spec: PipelineSpec, source: FileSource) -> Finding:
    from adapters.sources.file import matching_files

    try:
        files = matching_files(source.path)
        named = _header(files[-1], source.delimiter)
    except UsageError as error:
        return wrong("source", error.message, error.remedy)
    except (OSError, ValueError, csv.Error) as error:
        return wrong("source", f"{files[-1]} cannot be read: {str(error).splitlines()[0]}.", "Mend the file.")
    missing = [name for name in _needed(spec) if name not in named]
    if missing:
        return wrong("source", f"{files[-1]} has no column {', '.join(missing)}.", "Mend columns or source.delimiter in pipeline.yaml.")
    return ok("source", f"{source.path}: {len(files)} file(s), {len(named)} columns, all needed ones are there")


def _needed(spec: PipelineSpec) -> list[str]:
    time = spec.columns.time.from_ if isinstance(spec.columns.time, TimeParts) else [spec.columns.time]
    return [*time, *spec.columns.key, spec.columns.target, *spec.columns.features.all, *([spec.columns.unit] if spec.columns.unit else [])]


def _header(path: Path, delimiter: str) -> list[str]:
    """The names of a file's columns, read from its first line or its schema."""
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        from pyarrow import parquet  # type: ignore[import-untyped]  # pyarrow ships no types

        return list(parquet.read_schema(path).names)
    with gzip.open(path, "rt", encoding="utf-8") if name.endswith(".gz") else path.open(encoding="utf-8") as file:
        line = file.readline()
    name = name.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")):
        return list(json.loads(line))
    return next(csv.reader([line], delimiter="\t" if name.endswith(".tsv") else delimiter), [])
