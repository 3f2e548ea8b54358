"""The traffic log: append-only segments of framed, checksummed batches, one write each.

Frame: 4 bytes length, 4 bytes crc32 of the body (both little-endian), body in MessagePack. A reader stops at a torn or damaged tail and
comes back to it later. Every writing process has segments of its own, so writers never share a file.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, Position, ShadowBatch

Batch = AnsweredBatch | FailedBatch | FeedbackBatch | ShadowBatch
_B = TypeVar("_B")
_HEADER = struct.Struct("<II")
_SEGMENT_BYTES = 64 * 1024 * 1024
_MOST_BYTES = 256 * 1024 * 1024  # a length beyond this is damage, not a batch
_PIECE_BYTES = 1024 * 1024  # what a reader holds of a segment at a time
_ENCODER = msgspec.msgpack.Encoder()


def frame(batch: Batch) -> bytes:
    """Return the bytes of one batch as they stand in a segment."""
    body = _ENCODER.encode(batch)
    return _HEADER.pack(len(body), zlib.crc32(body)) + body


def split_frames(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield each complete body with the offset just behind it; stop at the first torn or damaged frame."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, checksum = _HEADER.unpack_from(data, offset)
        end = offset + _HEADER.size + length
        if length > _MOST_BYTES or end > len(data):
            return
        body = data[offset + _HEADER.size : end]
        if zlib.crc32(body) != checksum:
            return
        offset = end
        yield body, offset


def _frames_from(path: Path, start: int) -> Iterator[tuple[bytes, int]]:
    """Yield each complete body of a segment from an offset on, with the offset just behind it; holds a piece of the file at a time."""
    with path.open("rb") as file:
        file.seek(start)
        held = b""
        while missing := _missing(held):
            more = file.read(max(missing, _PIECE_BYTES))
            if not more:
                return
            held += more
            end = 0
            for body, end in split_frames(held):
                yield body, start + end
            start, held = start + end, held[end:]


def _missing(held: bytes) -> int:
    """Return how many bytes the frame at the head lacks; none where it is whole and yet was not yielded: it is damaged."""
    if len(held) < _HEADER.size:
        return _HEADER.size - len(held)
    length = _HEADER.unpack_from(held)[0]
    return 0 if length > _MOST_BYTES else max(0, int(_HEADER.size + length - len(held)))


class _Times(msgspec.Struct):
    """The one part of an AnsweredBatch that a clock needs."""

    event_times: list[int]


class _Writer:
    """One process's segment of one stream."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._open()

    def _open(self) -> None:
        self._path = self._folder / f"{time.time_ns():020d}-{os.getpid()}.seg"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self._size = 0

    def write(self, data: bytes) -> None:
        if self._size + len(data) > _SEGMENT_BYTES and self._size:
            full = self._file
            self._open()  # where the disk has no room for another segment, this one stays open and is tried again
            os.close(full)
        written = os.write(self._file, data)
        if written != len(data):  # a full disk tears the frame: take the part back, so that later frames stay readable
            os.ftruncate(self._file, self._size)
            raise OSError(28, f"wrote {written} of {len(data)} bytes", str(self._path))
        self._size += written


class TrafficLog:
    """What was asked and answered for one pipeline.

    Args:
        folder: the pipeline's own folder; made at the first append.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, _Writer] = {}

    def append(self, batch: Batch) -> None:
        """Write one batch; when this returns, a kill -9 of the process cannot lose it.

        Raises:
            OSError: the disk is full or gone; nothing of the batch stays behind.
        """
        stream = stream_of(batch)
        writer = self._writers.get(stream)
        if writer is None:
            writer = self._writers[stream] = _Writer(self._folder / stream)
        writer.write(frame(batch))

    def follow(self, kind: type[_B], stream: str, position: Position, max_batches: int = 1000) -> tuple[list[_B], Position]:
        """Read on from a position.

        Args:
            kind: the stream's kind of batch, or a struct with some of its fields: only those are decoded.

        Returns:
            At most `max_batches` batches in the order of segments, and the position behind them. While several writers are alive their
            segments are followed side by side: the position keeps an offset for each.
        """
        offsets = dict(position.offsets)
        found: list[_B] = []
        for path in self._segments(stream):
            start = offsets.get(path.name, 0)
            if path.stat().st_size <= start:
                continue
            for body, end in _frames_from(path, start):
                found.append(msgspec.msgpack.decode(body, type=kind))
                offsets[path.name] = end
                if len(found) >= max_batches:
                    return found, replace(position, offsets=offsets)
        return found, replace(position, offsets=offsets)

    def read(self, kind: type[_B], stream: str) -> list[_B]:
        """Read every complete batch of a stream."""
        return self.follow(kind, stream, Position(), max_batches=2**62)[0]

    def bodies(self, stream: str, since: datetime | None = None) -> Iterator[bytes]:
        """Yield every complete batch of a stream as MessagePack, for readers that decode only what they need.

        Args:
            stream: which one.
            since: segments that nobody has written to since this time (wall clock) are left out.
        """
        for path in self._segments(stream):
            if since is None or path.stat().st_mtime >= since.timestamp():
                for body, _ in split_frames(path.read_bytes()):
                    yield body

    def streams(self, prefix: str = "") -> list[str]:
        """Return the names of the streams that something was written to."""
        return sorted(one.name for one in self._folder.glob(f"{prefix}*") if one.is_dir()) if self._folder.is_dir() else []

    def _segments(self, stream: str) -> list[Path]:
        folder = self._folder / stream
        return sorted(folder.glob("*.seg")) if folder.is_dir() else []

    def backlog_bytes(self, stream: str, position: Position) -> int:
        """Return how many bytes of a stream lie behind a position."""
        return sum(path.stat().st_size - position.offsets.get(path.name, 0) for path in self._segments(stream))

    def watermark(self) -> datetime | None:
        """Return the greatest event time of any answered row."""
        decode = msgspec.msgpack.Decoder(_Times).decode
        times = (decode(body).event_times for body in self.bodies("answers"))
        greatest = max((max(batch) for batch in times if batch), default=None)
        return None if greatest is None else datetime.fromtimestamp(greatest / 1e6, UTC)


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
