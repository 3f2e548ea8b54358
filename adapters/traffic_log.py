"""The traffic log: append-only segments of batches; closed ones become Parquet, and readers see both as one, each batch once.

Every writing process has segments of its own, so writers never share a file. A segment is known by its name: where its Parquet file stands
beside it, that one counts. A reader stops at a torn or damaged tail and comes back to it later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from adapters.traffic_closed import ClosedPart, read_about
from adapters.traffic_rules import USUAL, TrafficRules
from adapters.traffic_segments import Batch, Writer, frame, frames_from
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, Position

_B = TypeVar("_B")


class _Times(msgspec.Struct):
    """The one part of an AnsweredBatch that a clock needs."""

    event_times: list[int]


@dataclass(frozen=True, slots=True)
class LivePart:
    """A segment that is still written to, or waits to be closed."""

    path: Path

    def batches(self, kind: type[_B], start: int = 0) -> Iterator[tuple[_B, int]]:
        """Yield the batches behind an offset, as a struct with some or all of their fields, with the offset just behind each."""
        decode = msgspec.msgpack.Decoder(kind).decode
        for body, end in frames_from(self.path, start):
            yield decode(body), end


Part = LivePart | ClosedPart


class TrafficLog:
    """What was asked and answered for one pipeline.

    Args:
        folder: the pipeline's own folder; made at the first append.
        rules: how it is written.
    """

    def __init__(self, folder: Path, rules: TrafficRules = USUAL) -> None:
        self._folder, self._rules = folder, rules
        self._writers: dict[str, Writer] = {}
        self._closed: dict[Path, ClosedPart] = {}  # what a file says of itself never changes

    def append(self, batch: Batch) -> None:
        """Write one batch; when this returns, a kill -9 of the process cannot lose it.

        Raises:
            OSError: the disk is full or gone; nothing of the batch stays behind.
        """
        stream = stream_of(batch)
        writer = self._writers.get(stream)
        if writer is None:
            writer = self._writers[stream] = Writer(self._folder / stream, self._rules)
        writer.write(frame(batch))

    def tend(self) -> None:
        """Leave segments that are old and sync what is due; called every second or so from a thread that answers nobody.

        Raises:
            OSError: something could not be synced.
        """
        for writer in list(self._writers.values()):
            writer.tend()

    def close(self) -> None:
        """Leave every segment; the next append opens others."""
        for writer in list(self._writers.values()):
            writer.close()

    def follow(self, kind: type[_B], stream: str, position: Position, max_batches: int = 1000) -> tuple[list[_B], Position]:
        """Read on from a position.

        Args:
            kind: the stream's kind of batch, or a struct with some of its fields: only those are decoded.

        Returns:
            At most `max_batches` batches in the order of segments, and the position behind them. While several writers are alive their
            segments are followed side by side: the position keeps an offset for each that there is.
        """
        parts = [*self.parts(stream)]
        offsets = {name: position.offsets[name] for name in (_name(part) for part in parts) if name in position.offsets}
        found: list[_B] = []
        for part in parts:
            name = _name(part)
            for batch, end in self._read_on(part, kind, offsets.get(name, 0)):
                found.append(batch)
                offsets[name] = end
                if len(found) >= max_batches:
                    return found, replace(position, offsets=offsets)
        return found, replace(position, offsets=offsets)

    def _read_on(self, part: Part, kind: type[_B], start: int) -> Iterator[tuple[_B, int]]:
        if _length(part) <= start:
            return
        try:
            yield from part.batches(kind, start)
        except FileNotFoundError:  # closed, or deleted, since it was listed; a file that is open stays readable
            now = self.current(part)
            if isinstance(now, ClosedPart) and isinstance(part, LivePart):
                yield from now.batches(kind, start)

    def batches(self, part: Part, kind: type[_B]) -> Iterator[_B]:
        """Yield the batches of a segment, live or closed."""
        return (batch for batch, _ in self._read_on(part, kind, 0))

    def each(self, kind: type[_B], stream: str) -> Iterator[_B]:
        """Yield every complete batch of a stream, one at a time."""
        return (batch for part in self.parts(stream) for batch in self.batches(part, kind))

    def read(self, kind: type[_B], stream: str) -> list[_B]:
        """Read every complete batch of a stream."""
        return self.follow(kind, stream, Position(), max_batches=2**62)[0]

    def parts(self, stream: str, since: datetime | None = None, or_after: datetime | None = None) -> Iterator[Part]:
        """Yield the segments of a stream in order, each as what it is now.

        Args:
            since: segments that nobody has written to since this time (wall clock) are left out,
            or_after: but not those that have, or while they are live may have, rows with an event time after this one.
        """
        folder = self._folder / stream
        live = {path.stem: path for path in folder.glob("*.seg")}  # first: what is closed meanwhile is seen by the next line
        closed = {path.stem: path for path in folder.glob("*.parquet")}
        self._closed = {path: part for path, part in self._closed.items() if path.parent != folder or path.stem in closed}
        for stem in sorted(live.keys() | closed.keys()):
            part = self._closed_at(closed[stem]) if stem in closed else LivePart(live[stem])
            if part is not None and (since is None or _written(part) >= since.timestamp() or _may_reach(part, or_after)):
                yield part

    def _closed_at(self, path: Path) -> ClosedPart | None:
        """Return a closed segment, or None where it was deleted in this moment."""
        if path not in self._closed:
            try:
                self._closed[path] = ClosedPart(path, read_about(path))
            except FileNotFoundError:
                return None
        return self._closed[path]

    def current(self, part: Part) -> Part | None:
        """Return a part that was listed as it is now: a live segment may have been closed since."""
        if isinstance(part, ClosedPart) or part.path.exists():
            return part
        return self._closed_at(part.path.with_suffix(".parquet"))

    @property
    def name(self) -> str:
        """The pipeline."""
        return self._folder.name

    def has(self, stream: str, stem: str) -> bool:
        """Whether a segment is here, live or closed."""
        return any((self._folder / stream / f"{stem}{suffix}").exists() for suffix in (".seg", ".parquet"))

    def streams(self, prefix: str = "") -> list[str]:
        """Return the names of the streams that something was written to."""
        return sorted(one.name for one in self._folder.glob(f"{prefix}*") if one.is_dir()) if self._folder.is_dir() else []

    def watermark(self) -> datetime | None:
        """Return the greatest event time of any answered row; closed segments know theirs."""
        greatest = max((at for part in self.parts("answers") for at in self._newest(part)), default=None)
        return None if greatest is None else datetime.fromtimestamp(greatest / 1e6, UTC)

    def _newest(self, part: Part) -> Iterator[int]:
        if isinstance(part, ClosedPart):
            yield from (part.about.happened or ())[1:]
        else:
            yield from (max(batch.event_times) for batch in self.batches(part, _Times) if batch.event_times)


def _name(part: Part) -> str:
    """Return what positions call a segment, live or closed."""
    return f"{part.path.stem}.seg"


def _length(part: Part) -> int:
    if isinstance(part, ClosedPart):
        return part.about.length
    try:
        return part.path.stat().st_size
    except FileNotFoundError:
        return 2**62  # closed since it was listed: who reads it finds out


def _written(part: Part) -> float:
    if isinstance(part, ClosedPart):
        return part.about.last / 1e6
    try:
        return part.path.stat().st_mtime
    except FileNotFoundError:
        return 2.0**62


def _may_reach(part: Part, after: datetime | None) -> bool:
    if after is None:
        return False
    return isinstance(part, LivePart) or (part.about.happened is not None and part.about.happened[1] > epoch_us(after))


def stream_of(batch: Batch) -> str:
    """Return the stream a batch belongs to."""
    if isinstance(batch, AnsweredBatch):
        return "answers"
    if isinstance(batch, FailedBatch):
        return "failures"
    if isinstance(batch, FeedbackBatch):
        return "feedback"
    return f"shadow-{batch.version}"


def epoch_us(at: datetime) -> int:
    """Return a time as microseconds since 1970-01-01 UTC."""
    return round(at.timestamp() * 1_000_000)
