"""Where fresh rows come from; one file per kind of source."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from contracts.spec import DvcSource, FileSource, HttpSource, PipelineSpec, S3Source, SimulatorSource, SqlSource


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
    if kept is None:
        with TemporaryDirectory(prefix="understudy-source-") as folder:
            return read_new_rows(spec, after, until, Path(folder))
    match spec.source:
        case FileSource():
            from adapters.sources.file import read_files

            return read_files(spec.source, spec.columns, after, until)
        case HttpSource():
            from adapters.sources.http import read_http

            return read_http(spec.source, spec.columns, after, until, kept)
        case S3Source():
            from adapters.sources.s3 import read_s3

            return read_s3(spec.source, spec.columns, after, until, kept)
        case SqlSource():
            from adapters.sources.sql import read_sql

            return read_sql(spec.source, spec.columns, after, until)
        case DvcSource():
            from adapters.sources.dvc import read_dvc

            return read_dvc(spec.source, spec.columns, after, until, kept)
        case SimulatorSource():
            from adapters.sources.simulator import simulate

            return simulate(spec.source, after, until)


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
        case _:
            return "not looked at"
