"""Holes of the traffic log: what was answered while it could not be written, marked where a full disk cannot prevent it.

Each writing process has one file of a fixed size, made while there was room; a hole is written over what stands there, which asks the
disk for nothing. (A file system that copies on write may refuse even that: then the hole is marked as soon as it does not.)
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from adapters.traffic_segments import framed, held_if_closed, lock, split_frames
from contracts.traffic import Hole

_FOLDER = "holes"
_BYTES = 4096
_EVERY_SECONDS = 1.0  # a hole that goes on is marked again so often
_ERROR_CHARACTERS = 80


class HoleMarker:
    """Marks what one process could not log of one pipeline; may be used from several threads.

    Args:
        folder: the pipeline's traffic log. Where there is no room for the file, it is made when there is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._lock = threading.Lock()
        self._file: int | None = None
        self._holes: list[Hole] = []
        self._open_since: int | None = None
        self._marked = 0.0
        self._mark()

    def lost(self, rows: int, error: str) -> None:
        """Note that some rows were answered and not logged."""
        with self._lock:
            now = time.time_ns() // 1000
            if self._open_since is None:
                self._open_since = now
                self._holes.append(Hole(now, now, rows, error[:_ERROR_CHARACTERS]))
                self._marked = 0.0
            else:
                last = self._holes[-1]
                self._holes[-1] = Hole(last.began, now, last.rows + rows, last.error)
            if time.monotonic() - self._marked > _EVERY_SECONDS:
                self._mark()

    def works_again(self) -> None:
        """Note that what is answered is logged again."""
        with self._lock:
            self._open_since = None
            self._mark()

    def _mark(self) -> None:
        """Write all holes over those that stand there; an error is not raised, and it is tried again at the next mark."""
        self._marked = time.monotonic()
        data = framed(msgspec.msgpack.encode(self._holes))
        while len(data) > _BYTES:  # too many: the oldest two become one, which holds more than both
            first, second = self._holes[:2]
            self._holes[:2] = [Hole(first.began, second.last, first.rows + second.rows, first.error)]
            data = framed(msgspec.msgpack.encode(self._holes))
        try:
            if self._file is None:
                self._file = self._make()
            os.pwrite(self._file, data, 0)
        except OSError:
            return

    def _make(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{time.time_ns():020d}-{os.getpid()}.hole"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        if not lock(file) or os.write(file, b"\0" * _BYTES) != _BYTES:
            os.close(file)
            path.unlink(missing_ok=True)
            raise OSError(28, "no room to mark holes in", str(path))
        return file


def read_holes(folder: Path, since: datetime | None = None, until: datetime | None = None) -> tuple[Hole, ...]:
    """Return the holes of a pipeline's log, oldest first.

    Args:
        folder: the pipeline's traffic log.
        since, until: on the wall clock; holes that ended before, or began after, are left out.
    """
    found = [hole for path in sorted((folder / _FOLDER).glob("*.hole")) for hole in _of(path)]
    first = float("-inf") if since is None else since.timestamp() * 1e6
    last = float("inf") if until is None else until.timestamp() * 1e6
    return tuple(sorted((one for one in found if one.last >= first and one.began <= last), key=lambda one: one.began))


def clear_marks(folder: Path) -> None:
    """Remove the files of processes that are gone and had no hole."""
    for path in (folder / _FOLDER).glob("*.hole"):
        try:
            with held_if_closed(path) as free:
                if free and path.stat().st_size == _BYTES and not [*_of(path)]:
                    path.unlink()
        except FileNotFoundError:
            continue


def _of(path: Path) -> Iterator[Hole]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for body, _ in split_frames(data):
        yield from msgspec.msgpack.decode(body, type=list[Hole]) if body else ()
        return
