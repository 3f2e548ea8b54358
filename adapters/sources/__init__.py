"""Where fresh rows come from; one file per kind of source."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from contracts.spec import FileSource, PipelineSpec, SimulatorSource


def read_new_rows(spec: PipelineSpec, after: datetime | None, until: datetime | None) -> pd.DataFrame:
    """Return the source's rows with after < event_time <= until, sorted by event time.

    Raises:
        SpecError: the source is not there, lacks a column, or holds a time that cannot be read.
    """
    match spec.source:
        case FileSource():
            from adapters.sources.file import read_files

            return read_files(spec.source, spec.columns, after, until)
        case SimulatorSource():
            from adapters.sources.simulator import simulate

            return simulate(spec.source, after, until)
