"""Closed segments as Parquet: a row for each row of a batch, in the order they were logged in; every value comes back as it was.

A column holds one type. Where the values of a segment have several, they stand there as JSON, and the file says so. Two columns are ours:
`_frame`, the offset behind the row's frame in the segment, by which readers know their place, and `_shape`, which of the lists of features
in the file's metadata the row's batch had: features may change between versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, ShadowBatch

_B = TypeVar("_B")
ABOUT = b"understudy"
FRAME, SHAPE = "_frame", "_shape"
STAMPS = ("logged_at", "received_at", "answered_at")  # when a batch was written: each kind has one
_KINDS: dict[str, type[Any]] = {"answers": AnsweredBatch, "failures": FailedBatch, "feedback": FeedbackBatch}
NAMES = {  # fields that are lists, by the name of their column
    "request_ids": "request_id", "rows": "row", "event_times": "event_time", "units": "unit", "predictions": "prediction",
    "labels": "label", "rewards": "reward", "observed_at": "observed_at",
}  # fmt: skip
_TAKEN = {  # by columns that stand beside features
    "request_id", "row", "event_time", "logged_at", "version", "epoch", "arm", "propensity", "unit", "latency_us", "prediction",
    "probabilities", FRAME, SHAPE,
}  # fmt: skip
_PREFIX = "feature_"


class About(msgspec.Struct, frozen=True):
    """What the file says of itself, in its metadata.

    Attributes:
        length: bytes of the segment it was made of, up to the last complete frame.
        first, last: when its first and last batch was logged, in microseconds.
        happened: least and greatest event time; None where the stream has none.
        epochs: least and greatest epoch; None where the stream has none.
        shapes: the lists of features that `_shape` counts.
        json: columns that hold JSON.
    """

    pipeline: str
    rows: int
    batches: int
    length: int
    first: int
    last: int
    happened: tuple[int, int] | None
    epochs: tuple[int, int] | None
    shapes: list[list[str]]
    json: list[str]


def kind_of(stream: str) -> type[Any]:
    """Return the batches of a stream."""
    return _KINDS.get(stream, ShadowBatch)


def feature_column(name: str) -> str:
    """Return the column of a feature; one whose name is taken is called feature_NAME.

    >>> feature_column("price"), feature_column("row"), feature_column("feature_row")
    ('price', 'feature_row', 'feature_feature_row')
    """
    bare = name
    while bare.startswith(_PREFIX):
        bare = bare.removeprefix(_PREFIX)
    return _PREFIX + name if bare in _TAKEN else name


@dataclass(frozen=True, slots=True)
class ClosedPart:
    """A closed segment's file, and what it says of itself."""

    path: Path
    about: About

    def batches(self, kind: type[_B], start: int) -> Iterator[tuple[_B, int]]:
        """Yield the batches behind an offset, as a struct with some or all of their fields, with the offset just behind each."""
        wanted = set(_field_names(kind))
        for columns in self.groups(wanted, start):
            yield from _batches(columns, kind, wanted, self.about)

    def groups(self, fields: set[str], start: int = 0) -> Iterator[dict[str, Any]]:
        """Yield row groups as columns by name: `_frame`, `_shape`, and those of some fields of the batch; JSON and times as they were."""
        import pyarrow.compute as pc  # type: ignore[import-untyped]  # pyarrow ships no types
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # pyarrow ships no types

        with pq.ParquetFile(self.path) as file:
            present = file.schema_arrow.names
            names = [name for name in present if self._is_wanted(name, fields)]
            place = present.index(FRAME)
            for number in range(file.num_row_groups):
                if file.metadata.row_group(number).column(place).statistics.max <= start:
                    continue
                table = file.read_row_group(number, columns=names)
                if start:
                    table = table.filter(pc.greater(table[FRAME], start))
                yield {name: self._restored(name, table[name]) for name in names}

    def _is_wanted(self, name: str, fields: set[str]) -> bool:
        if name in (FRAME, SHAPE):
            return True
        known = {NAMES.get(field, field) for field in fields}
        return name in (known | self._features if "features" in fields else known)

    @property
    def _features(self) -> set[str]:
        return {feature_column(name) for shape in self.about.shapes for name in shape}

    def _restored(self, name: str, column: Any) -> Any:
        import pyarrow as pa

        if name in self.about.json:
            return [None if one is None else json.loads(one) for one in column.to_pylist()]
        if pa.types.is_timestamp(column.type):
            return column.cast(pa.int64())
        return column


def read_about(path: Path) -> About:
    """Return what a closed segment's file says of itself."""
    import pyarrow.parquet as pq

    return msgspec.json.decode(pq.read_schema(path).metadata[ABOUT], type=About)


def _field_names(kind: type[Any]) -> tuple[str, ...]:
    return kind.__struct_fields__ if issubclass(kind, msgspec.Struct) else tuple(kind.__dataclass_fields__)


def as_list(column: Any) -> list[Any]:
    """Return a column of `groups` as Python values."""
    values: list[Any] = column if isinstance(column, list) else column.to_pylist()
    return values


def _batches(columns: dict[str, Any], kind: type[_B], wanted: set[str], about: About) -> Iterator[tuple[_B, int]]:
    values = {name: as_list(column) for name, column in columns.items()}
    ends = values[FRAME]
    first = 0
    while first < len(ends):
        last = first
        while last < len(ends) and ends[last] == ends[first]:
            last += 1
        found: dict[str, Any] = {"pipeline": about.pipeline}
        for field in wanted - {"pipeline", "features"}:
            name = NAMES.get(field, field)
            if name in values:
                mine = values[name][first:last]
                found[field] = mine if field in NAMES else mine[0]
        if "features" in wanted:
            found["features"] = {one: values[feature_column(one)][first:last] for one in about.shapes[values[SHAPE][first]]}
        if found.get("error") is not None and "predictions" in wanted:
            found["predictions"] = []
        yield msgspec.convert(found, kind), ends[first]
        first = last
