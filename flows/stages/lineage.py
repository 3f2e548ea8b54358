"""Which rows trained a version, and which versions saw a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from adapters.data_repo import DataRepo
from adapters.model_cache import cached_manifest
from adapters.pipeline_files import Pipeline
from adapters.registry import Registered, Registry
from adapters.settings import Settings
from contracts.columns import EVENT_TIME
from contracts.lineage import Lineage
from contracts.snapshot import Snapshot
from flows.stages.fit import needed_columns
from flows.stages.report import PIPELINE, recorded_pipeline
from flows.stages.sampled_rows import left_out
from training.roles import HELD_OUT, NOT_SAMPLED, TOO_OLD, TRAINED, UNLABELLED, roles


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that were the same thing to a version.

    Attributes:
        first, last: event times. keys: least and greatest value of each key column.
    """

    rows: int
    first: datetime | None = None
    last: datetime | None = None
    keys: dict[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trained:
    """Which rows trained a version.

    Attributes:
        window: what pipeline.yaml said then. parts: by `trained`, `held out`, `unlabelled`, `older than the window`, `not in the sample`.
    """

    pipeline: str
    version: str
    lineage: Lineage
    window: str
    partitions: int
    parts: dict[str, Part]


def trained_by(settings: Settings, pipeline: str, version: str) -> tuple[Trained, pd.DataFrame]:
    """Return which rows trained a version, and those rows' event times and keys.

    The rows are read as the fit read them: late corrections replace the rows with their key.

    Raises:
        UsageError: there is no such version, or its snapshot is gone.
        OutsideError: registry or data could not be read.
    """
    registry = Registry(settings)
    one = registry.registered(pipeline, version)
    then = _recorded(settings, registry, one, pipeline)
    repo, target = DataRepo(settings), then.spec.columns.target
    snapshot = repo.get(pipeline, one.lineage.snapshot)
    keys = list(snapshot.key)
    read = keys or (needed_columns(then.spec) if then.spec.train.sample is not None else [])
    rows = repo.frame(snapshot, list(dict.fromkeys([EVENT_TIME, *read, target])))
    found = _roles(settings, one, then, snapshot, rows)
    parts = {role: _part(rows[found == role], keys) for role in (TRAINED, HELD_OUT, UNLABELLED, TOO_OLD, NOT_SAMPLED)}
    window = then.window or str(then.spec.model_dump(mode="json")["train"]["window"])
    about = Trained(pipeline, version, one.lineage, window, len(snapshot.partitions), parts)
    return about, rows.loc[found == TRAINED, [EVENT_TIME, *keys]].reset_index(drop=True)


def _recorded(settings: Settings, registry: Registry, one: Registered, pipeline: str) -> Pipeline:
    with TemporaryDirectory() as folder:
        return recorded_pipeline(settings, registry.fetch_report(one, PIPELINE, Path(folder)), pipeline)


def roles_in(settings: Settings, one: Registered, pipeline: str, rows: pd.DataFrame) -> np.ndarray:
    """Return what each row of a version's own snapshot was to it.

    Args:
        rows: of the snapshot, with all columns.
    """
    then = _recorded(settings, Registry(settings), one, pipeline)
    return _roles(settings, one, then, DataRepo(settings).get(pipeline, one.lineage.snapshot), rows)


def _roles(settings: Settings, one: Registered, then: Pipeline, snapshot: Snapshot, rows: pd.DataFrame) -> np.ndarray:
    """The package says which span was fitted, and the pipeline as it was then, which sample of that."""
    package = cached_manifest(settings, one.model)
    since = None if package.since is None else pd.Timestamp(package.since)
    found = roles(rows[EVENT_TIME], rows[package.target], since, pd.Timestamp(package.cutoff))
    found[(found == TRAINED) & left_out(DataRepo(settings), snapshot, then, needed_columns(then.spec), rows)] = NOT_SAMPLED
    return found


def _part(rows: pd.DataFrame, keys: list[str]) -> Part:
    if rows.empty:
        return Part(0)
    times = rows[EVENT_TIME]
    return Part(len(rows), times.iloc[0].to_pydatetime(), times.iloc[-1].to_pydatetime(), {name: _span(rows[name]) for name in keys})


def _span(values: pd.Series) -> tuple[Any, Any]:
    known = values.dropna()
    least, greatest = (known.min(), known.max()) if len(known) else (None, None)
    return tuple(one.item() if isinstance(one, np.generic) else one for one in (least, greatest))  # type: ignore[return-value]  # of two
