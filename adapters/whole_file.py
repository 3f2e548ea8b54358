"""Files that are at their place whole or not at all: written beside it, then moved there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a stream to write a file to; synced to disk, it is at its place only when the block ends without an error.

    Raises:
        OSError: it could not be written; what stood at the place stands there still.
    """
    with _beside(path) as part, part.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def write_whole(path: Path, content: bytes) -> Path:
    """Replace a file: a kill -9 leaves the old one or the new one. It is not synced.

    Raises:
        OSError: as `whole_file`.
    """
    with _beside(path) as part:
        part.write_bytes(content)
    return path


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")  # who writes the same file at once has another
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
