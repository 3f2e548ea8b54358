"""Where fresh rows come from; one file per kind of source."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from adapters.sources.rows import Tables, new_tables, parts_of, sorted_rows
from contracts.spec import (
    Columns,
    DvcSource,
    FileSource,
    HttpSource,
    ModuleSource,
    PipelineSpec,
    S3Source,
    SimulatorSource,
    Source,
    SqlSource,
)

Seen = Callable[[int, str], None]  # rows read so far, and where
Parts = Generator[pd.DataFrame, None, None]


def read_new_rows(spec: PipelineSpec, after: datetime | None, until: datetime | None, kept: Path | None = None) -> pd.DataFrame:
    """Return the source's rows with after < event_time <= until, sorted by event time.

    Args:
        spec: whose source.
        after: the newest time that is known already; None for all.
        until: the newest time that is wanted; None for all.
        kept: folder for copies of remote files, so that an unchanged one is not fetched again; None keeps nothing.

    Raises:
        SpecError: the source is not there, lacks a column, or holds a time that cannot be read.
        OutsideError: a server did not answer; trying again may help.
        DigestMismatch: a file's bytes are not those that pipeline.yaml asks for.
    """
    return read_rows(spec.source, spec.columns, after, until, kept)


def read_rows(
    source: Source, columns: Columns, after: datetime | None = None, until: datetime | None = None, kept: Path | None = None
) -> pd.DataFrame:
    """Do what `read_new_rows` does, without a whole spec."""
    with _folder(kept) as folder, closing(_tables(source, columns, after, until, folder)) as tables:
        return sorted_rows(tables)


def read_parts(spec: PipelineSpec, after: datetime | None, until: datetime | None, kept: Path, seen: Seen) -> Parts:
    """Yield the rows of `read_new_rows` as tables of `source.part_rows` rows, each sorted; no more than that is held.

    Args:
        spec, after, until, kept: as there; the errors too.
        seen: is told how many rows of the source were read, and where, whenever some were.
    """
    yield from parts_of(_told(_tables(spec.source, spec.columns, after, until, kept), seen), spec.source.part_rows)


def _told(tables: Tables, seen: Seen) -> Tables:
    count = 0
    with closing(tables):
        for where, frame in tables:
            count += len(frame)
            seen(count, where)
            yield where, frame


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with TemporaryDirectory(prefix="understudy-source-") as folder:
        yield Path(folder)


def _tables(source: Source, columns: Columns, after: datetime | None, until: datetime | None, kept: Path) -> Tables:
    if isinstance(source, SimulatorSource):
        from adapters.sources.simulator import simulated_days

        yield from ((source.world, day) for day in simulated_days(source, after, until))
        return
    with closing(_raw(source, columns, after, until, kept)) as raw:
        yield from new_tables(raw, columns, after, until, fill=source.on_change.disappears == "fill")


def _raw(
    source: FileSource | HttpSource | S3Source | SqlSource | DvcSource | ModuleSource,
    columns: Columns,
    after: datetime | None,
    until: datetime | None,
    kept: Path,
) -> Tables:
    match source:
        case FileSource():
            from adapters.sources import file

            return file.tables(source)
        case HttpSource():
            from adapters.sources import http

            return http.tables(source, kept)
        case S3Source():
            from adapters.sources import s3

            return s3.tables(source, kept)
        case SqlSource():
            from adapters.sources import sql

            return sql.tables(source, columns, after, until)
        case DvcSource():
            from adapters.sources import dvc

            return dvc.tables(source, kept)
        case ModuleSource():
            from adapters.sources import module

            return module.tables(source, kept, after, until)


def look(spec: PipelineSpec, kept: Path) -> str:
    """Say what a source that is no file holds, as cheaply as it can be asked.

    Raises:
        SpecError: it is not there, or not as pipeline.yaml says.
        OutsideError: it does not answer.
    """
    match spec.source:
        case HttpSource():
            from adapters.sources import http

            return http.look(spec.source, kept)
        case S3Source():
            from adapters.sources import s3

            return s3.look(spec.source)
        case SqlSource():
            from adapters.sources import sql

            return sql.look(spec.source, spec.columns)
        case DvcSource():
            from adapters.sources import dvc

            return dvc.look(spec.source)
        case ModuleSource():
            from adapters.sources import module

            return module.look(spec.source)
        case _:
            return "not looked at"
