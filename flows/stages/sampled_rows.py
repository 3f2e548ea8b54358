"""Which rows of a window larger than memory a fit takes: the fit asks, and later whoever wants to know which rows trained a version."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
from numpy.typing import NDArray
from pyarrow import compute

from adapters.data_repo import DataRepo
from adapters.pipeline_files import Pipeline
from adapters.snapshot_stream import FILE, ROW, SnapshotStream, open_snapshot
from contracts.columns import EVENT_TIME
from contracts.snapshot import Snapshot
from contracts.spec import PipelineSpec
from training.fit import no_label
from training.sample import Sampler


def ends(stream: SnapshotStream, spec: PipelineSpec) -> tuple[datetime | None, datetime]:
    """Return where the window begins (None: with the first row) and where what is held out does.

    Raises:
        UsageError: no row has a label.
    """
    newest = stream.newest(spec.columns.target)
    if newest is None:
        raise no_label()
    edge = newest - spec.train.holdout
    return None if spec.train.reach is None else edge - spec.train.reach, edge


def take_sample(
    stream: SnapshotStream, snapshot: Snapshot, pipeline: Pipeline, columns: list[str], after: datetime | None, edge: datetime
) -> tuple[pa.Table, datetime | None]:
    """Return the rows of the window that `train.sample` takes, in order of event time, and the newest event time of all in the window.

    Args:
        columns: that are wanted; the key of a snapshot without one.
        after, edge: where the window begins and ends.
    """
    if pipeline.spec.train.sample is None:
        raise ValueError("a window is streamed where the spec asks for a sample")
    key = list(snapshot.key) or columns
    sampler = Sampler(pipeline.spec.train.sample.rows, key, pipeline.params.seed, [FILE, ROW])
    cutoff = None
    for table in stream.tables(list(dict.fromkeys([*columns, *key])), pipeline.spec.columns.target, after, edge):
        sampler.add(table)
        cutoff = max(filter(None, (cutoff, compute.max(table[EVENT_TIME]).as_py())), default=None)
    if cutoff is None:
        return pa.table({}), None
    return sampler.taken().sort_by([(EVENT_TIME, "ascending"), (FILE, "ascending"), (ROW, "ascending")]), cutoff


def left_out(repo: DataRepo, snapshot: Snapshot, pipeline: Pipeline, columns: list[str], rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows (n,) are none of those that `train.sample` takes; none is left out where the spec takes no sample.

    Args:
        columns: that the fit needed. rows: of the snapshot, with its key, or with these columns where it has none.

    Raises:
        OutsideError: the snapshot's bytes could not be brought.
    """
    if pipeline.spec.train.sample is None:
        return np.zeros(len(rows), dtype=bool)
    with open_snapshot(repo.files(snapshot), snapshot.key) as stream:
        taken, _ = take_sample(stream, snapshot, pipeline, columns, *ends(stream, pipeline.spec))
    key = list(snapshot.key) or columns
    kept = taken.select(key).to_pandas().drop_duplicates()
    return (rows[key].merge(kept, how="left", on=key, indicator=True)["_merge"] == "left_only").to_numpy()
