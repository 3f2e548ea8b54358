"""Which versions saw a row: fitted on it, judged on it, answered it; or it was set aside before any did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from adapters.data_repo import DataRepo
from adapters.pipeline_files import Pipeline
from adapters.quarantine_files import QuarantineFiles
from adapters.registry import Registered, Registry
from adapters.settings import Settings
from adapters.traffic_log import TrafficLog
from adapters.traffic_rows import InLog, find_rows
from contracts.columns import EVENT_TIME, REASONS
from contracts.errors import UsageError
from contracts.snapshot import Snapshot
from flows.stages.lineage import roles_in

NOT_IN = "not in its snapshot"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a row was to a version.

    Attributes:
        role: `trained`, `held out`, `unlabelled`, `older than the window`, `not in the sample` or `not in its snapshot`.
        values: the row as the version's snapshot has it; a later correction has others.
    """

    version: str
    snapshot: str
    role: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that was not let into a snapshot."""

    file: str
    event_time: datetime | None
    reasons: str


@dataclass(frozen=True, slots=True)
class RowHistory:
    """Everything known of a row.

    Attributes:
        row: as the newest snapshot has it; empty where none has.
        came: snapshot and partition it came with, the first one and then its corrections.
    """

    pipeline: str
    key: str
    row: Mapping[str, Any]
    came: tuple[tuple[str, str], ...]
    versions: tuple[Seen, ...]
    aside: tuple[SetAside, ...]
    log: tuple[InLog, ...]

    @property
    def known(self) -> bool:
        """Whether anything has it."""
        return bool(self.row or self.aside or self.log)


@dataclass(frozen=True, slots=True)
class _Found:
    """A row as one partition has it."""

    partition: str
    row: pd.DataFrame


def seen_by(settings: Settings, pipeline: Pipeline, key: str) -> RowHistory:
    """Return what is known of a row.

    Args:
        settings, pipeline: where everything is, and whose row.
        key: the key column's value; `column=value,…` of several; the event time where the pipeline has no key; or a request id or unit,
            which only the traffic log knows.

    Raises:
        UsageError: the key does not name the pipeline's key columns.
        OutsideError: registry or data could not be read.
    """
    name, wanted = pipeline.spec.name, _wanted(pipeline, key)
    repo = DataRepo(settings)
    snapshots = repo.snapshots(name)
    found = _in_partitions(repo, snapshots, wanted)
    kept = {one.id: {part.name for part in one.partitions} for one in snapshots}
    came = tuple((next(one for one, parts in kept.items() if each.partition in parts), each.partition) for each in found)
    versions = tuple(_seen(settings, name, one, found, kept) for one in (Registry(settings).versions(name) if found else ()))
    log = find_rows(TrafficLog(settings.traffic / name), key, _likes(pipeline, found))
    return RowHistory(name, key, _values(found[-1].row) if found else {}, came, versions, tuple(_aside(settings, name, wanted)), tuple(log))


def _wanted(pipeline: Pipeline, key: str) -> dict[str, str]:
    columns = pipeline.spec.columns.key or [EVENT_TIME]
    if len(columns) == 1:
        return {columns[0]: key.removeprefix(f"{columns[0]}=")}
    given = {name: value for name, _, value in (part.partition("=") for part in key.split(","))}
    if set(given) != set(columns):
        raise UsageError(f"'{key}' does not name the key of '{pipeline.spec.name}'.", f"Write {','.join(f'{one}=…' for one in columns)}.")
    return given


def _in_partitions(repo: DataRepo, snapshots: list[Snapshot], wanted: Mapping[str, str]) -> list[_Found]:
    """Look through every partition once, in the order in which they came; of rows with one key in a partition the last counts."""
    found: dict[str, _Found] = {}
    for snapshot in snapshots:
        for part in snapshot.partitions:
            if part.name not in found:
                rows = _find(repo.frame(replace(snapshot, partitions=(part,), key=())), wanted)
                found[part.name] = _Found(part.name, rows.tail(1))
    return [one for one in found.values() if len(one.row)]


def _find(frame: pd.DataFrame, wanted: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows whose columns have these values, told as text; numbers and times are compared as such."""
    for name, text in wanted.items():
        if name not in frame:
            return frame.iloc[:0]
        frame = frame[_equal(frame[name], text)]
    return frame


def _equal(values: pd.Series, text: str) -> Any:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values == pd.to_datetime(text, utc=True, errors="coerce")
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values == pd.to_numeric(text, errors="coerce")
    return values.astype("string") == text


def _seen(settings: Settings, name: str, one: Registered, found: list[_Found], kept: Mapping[str, set[str]]) -> Seen:
    snapshot = one.lineage.snapshot
    rows = [each.row for each in found if each.partition in kept.get(snapshot, ())]
    if not rows:
        return Seen(one.model.version, snapshot, NOT_IN, {})
    return Seen(one.model.version, snapshot, str(roles_in(settings, one, name, rows[-1])[0]), _values(rows[-1]))


def _likes(pipeline: Pipeline, found: list[_Found]) -> dict[datetime, dict[str, Any]]:
    features = pipeline.spec.columns.features.all
    return {
        each.row[EVENT_TIME].iloc[0].to_pydatetime(): {name: each.row[name].iloc[0] for name in features if name in each.row}
        for each in found
    }


def _aside(settings: Settings, name: str, wanted: Mapping[str, str]) -> Iterator[SetAside]:
    files = QuarantineFiles(settings, name)
    for path in [*files.aside(), *files.refused()]:
        rows = _find(pd.read_parquet(path), wanted)
        times = rows[EVENT_TIME] if EVENT_TIME in rows else [None] * len(rows)
        reasons = rows[REASONS] if REASONS in rows else [""] * len(rows)
        yield from (
            SetAside(path.name, None if at is None else at.to_pydatetime(), str(why)) for at, why in zip(times, reasons, strict=True)
        )


def _values(row: pd.DataFrame) -> dict[str, Any]:
    """Return a row's cells as JSON can hold them."""
    return {str(name): _plain(value) for name, value in row.iloc[0].items()}


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if isinstance(value, np.generic) else value
