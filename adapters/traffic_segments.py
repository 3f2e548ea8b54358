"""Segments of the traffic log: framed, checksummed batches, one write each, in a file that its writer holds locked.

Frame: 4 bytes length, 4 bytes crc32 of the body (both little-endian), body in MessagePack. A segment whose lock is free has no writer any
more, however that one ended: it is closed, and nothing is ever added to it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from adapters.traffic_rules import TrafficRules
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, ShadowBatch

Batch = AnsweredBatch | FailedBatch | FeedbackBatch | ShadowBatch
_HEADER = struct.Struct("<II")
_MOST_BYTES = 256 * 1024 * 1024  # a length beyond this is damage, not a batch
_PIECE_BYTES = 1024 * 1024  # what a reader holds of a segment at a time
_ENCODER = msgspec.msgpack.Encoder()


def frame(batch: Batch) -> bytes:
    """Return the bytes of one batch as they stand in a segment."""
    return framed(_ENCODER.encode(batch))


def framed(body: bytes) -> bytes:
    """Return a body behind its length and checksum."""
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


def frames_from(path: Path, start: int = 0) -> Iterator[tuple[bytes, int]]:
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


def is_damaged(path: Path, end: int) -> bool:
    """Whether what stands behind the last complete frame is more than the torn beginning of another."""
    with path.open("rb") as file:
        file.seek(end)
        return _missing(file.read(_MOST_BYTES + _HEADER.size)) == 0


@contextmanager
def held_if_closed(path: Path) -> Iterator[bool]:
    """Say whether a segment has no writer any more, and hold it meanwhile, so that only one process works on it.

    Raises:
        FileNotFoundError: it is gone.
    """
    file = os.open(path, os.O_RDWR)
    try:
        yield lock(file)
    finally:
        os.close(file)


def lock(file: int) -> bool:
    """Take the file's lock; False where somebody has it, or the name is gone from its folder."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(file).st_nlink > 0


class Writer:
    """One process's segment of one stream; may be used from several threads.

    Args:
        rules: when a segment is full or old, and when it is synced.
    """

    def __init__(self, folder: Path, rules: TrafficRules) -> None:
        self._folder, self._rules = folder, rules
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size, self._opened = 0, 0.0
        self._unsynced = False
        self._ended: list[int] = []  # segments that were left and are to be synced before they count as closed

    def write(self, data: bytes) -> None:
        """Add one frame.

        Raises:
            OSError: the disk is full or gone; nothing of the frame stays behind.
        """
        with self._lock:
            if self._is_full(len(data)):
                self._open()  # where the disk has no room for another segment, this one stays open and is tried again
            self._add(data)
            self._unsynced = True
            if self._rules.fsync == "batch" and self._file is not None:
                os.fsync(self._file)

    def _is_full(self, more: int) -> bool:
        if self._file is None:
            return True
        return self._size > 0 and (self._size + more > self._rules.segment_bytes or self._is_old())

    def _is_old(self) -> bool:
        return time.monotonic() - self._opened >= self._rules.segment_age.total_seconds()

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = self._folder / f"{time.time_ns():020d}-{os.getpid()}.seg"
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
            if lock(file):
                break
            os.close(file)  # somebody clears away what looked abandoned, just now
        self._leave()
        self._path, self._file, self._size, self._opened = path, file, 0, time.monotonic()

    def _leave(self) -> None:
        if self._file is None:
            return
        if self._rules.fsync == "interval":
            self._ended.append(self._file)
        else:
            os.close(self._file)
        self._file = None

    def _add(self, data: bytes) -> None:
        if self._file is None:
            raise OSError(9, "the segment is not open", str(self._folder))
        written = os.write(self._file, data)
        if written != len(data):  # a full disk tears the frame: take the part back, so that later frames stay readable
            os.ftruncate(self._file, self._size)
            raise OSError(28, f"wrote {written} of {len(data)} bytes", str(self._path))
        self._size += written

    def tend(self) -> None:
        """Close a segment that is old, so that a silent log is closed too; with `fsync: interval` sync what was written.

        Raises:
            OSError: it could not be synced.
        """
        with self._lock:
            if self._file is not None and self._size and self._is_old():
                self._leave()
            ended, self._ended = self._ended, []
            if self._rules.fsync == "interval" and self._unsynced and self._file is not None:
                ended.append(os.dup(self._file))  # synced outside the lock: a writer waits for no disk
            self._unsynced = False
        for file in ended:
            try:
                os.fsync(file)
            finally:
                os.close(file)

    def close(self) -> None:
        """Leave the segment; the next write opens another."""
        with self._lock:
            self._leave()
        self.tend()
