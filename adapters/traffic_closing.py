"""Closes segments that no writer holds any more: Parquet beside them, sorted by when they were logged, zstd; then the segment goes.

Whatever is killed in between, the next pass goes on: a segment counts until its Parquet file has its name, and from then on does not.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from adapters.traffic_closed import ABOUT, FRAME, NAMES, SHAPE, STAMPS, About, feature_column, kind_of
from adapters.traffic_segments import frames_from, held_if_closed, is_damaged

_ROWS = 50_000  # in a row group
_SAFE_INT = 2**53
_ABANDONED_SECONDS = 60.0  # an empty segment that is older has no writer that is just opening it
_TYPES = {
    "request_id": "string", "row": "int32", "event_time": "time", "unit": "string", "logged_at": "time", "received_at": "time",
    "answered_at": "time", "observed_at": "time", "version": "string", "epoch": "int64", "arm": "string", "propensity": "double",
    "latency_us": "int64", "error": "string", FRAME: "int64", SHAPE: "int32",
}  # fmt: skip


def close_segments(folder: Path, said: Callable[[str], None]) -> int:
    """Close what is to be closed of one stream; return how many segments became Parquet.

    Args:
        folder: the stream's.
        said: is told of what could not be read.
    """
    done = 0
    for segment in sorted(folder.glob("*.seg")):
        try:
            with held_if_closed(segment) as free:
                done += bool(free and _close(segment, folder.name, said))
        except FileNotFoundError:  # another process closed it first
            continue
    return done


def _close(segment: Path, stream: str, said: Callable[[str], None]) -> bool:
    if not segment.stat().st_size:
        if time.time() - segment.stat().st_mtime > _ABANDONED_SECONDS:
            segment.unlink()
        return False
    target = segment.with_suffix(".parquet")
    survey = _survey(segment, stream)
    if survey.rows and not target.exists():
        _write(segment, target, stream, survey)
    if is_damaged(segment, survey.length):
        said(f"{segment} is damaged behind byte {survey.length}; what is there cannot be read and is kept as {segment.stem}.damaged")
        segment.replace(segment.with_suffix(".damaged"))
    else:
        segment.unlink()
    return bool(survey.rows)


class _Survey:
    """What types each column needs, and the file's own words, found in a first reading of the segment."""

    def __init__(self) -> None:
        self.types: dict[str, set[type]] = {}
        self.lists: set[str] = set()
        self.wide: set[str] = set()  # columns with integers that a float does not hold
        self.shapes: dict[tuple[str, ...], int] = {}
        self.pipeline = ""
        self.rows = self.batches = self.length = 0
        self.stamps: list[int] = []
        self.times: list[int] = []
        self.epochs: list[int] = []

    def take(self, batch: Any, end: int) -> None:
        for name, values in _loose(batch):
            self.types.setdefault(name, set()).update(map(type, values))
            if any(type(one) is int and not -_SAFE_INT <= one <= _SAFE_INT for one in values):
                self.wide.add(name)
        self.shapes.setdefault(tuple(getattr(batch, "features", ())), len(self.shapes))
        self.pipeline = batch.pipeline
        self.rows, self.batches, self.length = self.rows + len(batch.request_ids), self.batches + 1, end
        stamp = next(getattr(batch, name) for name in STAMPS if hasattr(batch, name))
        self.stamps = _range([*self.stamps, stamp])
        self.times = _range([*self.times, *getattr(batch, "event_times", ())])
        self.epochs = _range([*self.epochs, *([batch.epoch] if hasattr(batch, "epoch") else ())])

    def kinds(self) -> dict[str, str]:
        """Return the type of each loose column."""
        return {name: _kind(types - {type(None)}, name in self.wide) for name, types in self.types.items()}

    def about(self) -> About:
        first, last = self.stamps or (0, 0)
        happened, epochs = ((one[0], one[1]) if one else None for one in (self.times, self.epochs))
        coded = [name for name, kind in self.kinds().items() if kind == "json"]
        return About(
            self.pipeline,
            self.rows,
            self.batches,
            self.length,
            first,
            last,
            happened,
            epochs,
            [list(shape) for shape in self.shapes],
            coded,
        )


def _range(values: list[int]) -> list[int]:
    return [min(values), max(values)] if values else []


def _loose(batch: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the columns whose type is the data's own."""
    for name, values in getattr(batch, "features", {}).items():
        yield feature_column(name), values
    for field in ("predictions", "labels", "rewards"):
        if hasattr(batch, field):
            yield NAMES[field], getattr(batch, field) or [None]


def _kind(types: set[type], wide: bool) -> str:
    if types == {int} or types == {int, float}:
        if wide:
            return "json"
        return "int64" if types == {int} else "double"
    return {frozenset(): "double", frozenset({float}): "double", frozenset({bool}): "bool", frozenset({str}): "string"}.get(
        frozenset(types), "list" if types == {list} else "json"
    )


def _survey(segment: Path, stream: str) -> _Survey:
    found, decode = _Survey(), msgspec.msgpack.Decoder(kind_of(stream)).decode
    for body, end in frames_from(segment):
        found.take(decode(body), end)
    return found


def _write(segment: Path, target: Path, stream: str, survey: _Survey) -> None:
    """Write the Parquet file; it is there whole, or not at all."""
    import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # the same

    kinds, decode = survey.kinds(), msgspec.msgpack.Decoder(kind_of(stream)).decode
    schema = _schema(kind_of(stream), kinds).with_metadata({ABOUT: msgspec.json.encode(survey.about())})
    part = target.with_suffix(".part")
    order = [pq.SortingColumn(schema.get_field_index(FRAME))]
    with pq.ParquetWriter(part, schema, compression="zstd", sorting_columns=order) as writer:
        for columns in _gathered(((decode(body), end) for body, end in frames_from(segment)), schema.names, survey.shapes):
            made = {name: _array(columns[name], schema.field(name).type, kinds.get(name)) for name in schema.names}
            writer.write_table(pa.table(made, schema=schema))
    _sync(part)
    part.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _schema(kind: type[Any], kinds: dict[str, str]) -> Any:
    import pyarrow as pa

    fixed = [NAMES.get(name, name) for name in kind.__dataclass_fields__ if name not in ("pipeline", "features")]
    types = {name: _TYPES[name] for name in fixed if name in _TYPES} | kinds | {FRAME: "int64", SHAPE: "int32"}
    arrow = {
        "string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_(), "json": pa.string(),
        "time": pa.timestamp("us"), "list": pa.list_(pa.float64()),
    }  # fmt: skip
    return pa.schema([(name, arrow[one]) for name, one in types.items()])


def _gathered(batches: Iterator[tuple[Any, int]], names: list[str], shapes: dict[tuple[str, ...], int]) -> Iterator[dict[str, list[Any]]]:
    held: dict[str, list[Any]] = {name: [] for name in names}
    for batch, end in batches:
        count = len(batch.request_ids)
        features = {feature_column(name): values for name, values in getattr(batch, "features", {}).items()}
        lists = {NAMES.get(field, field): value for field, value in _fields(batch) if isinstance(value, list) and value}
        same = {field: value for field, value in _fields(batch) if not isinstance(value, list | dict)}
        same |= {FRAME: end, SHAPE: shapes[tuple(getattr(batch, "features", ()))]}
        columns = features | lists
        for name, values in held.items():
            values.extend(columns[name] if name in columns else [same.get(name)] * count)
        if len(held[FRAME]) >= _ROWS:
            yield held
            held = {name: [] for name in names}
    if held[FRAME]:
        yield held


def _fields(batch: Any) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(batch, name)) for name in type(batch).__dataclass_fields__)


def _array(values: list[Any], kind: Any, loose: str | None) -> Any:
    import pyarrow as pa

    if loose == "json":
        values = [None if one is None else json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in values]
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).view(kind)
    if loose == "double":
        values = [None if one is None else float(one) for one in values]
    return pa.array(values, kind)
