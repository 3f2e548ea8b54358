"""Copies of files from elsewhere: named by what they are a copy of, so that the same bytes are fetched once, and whole or not at all.

One process at a time may write below a folder; an ingest holds the data repository's lock while it reads its source.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def place(folder: Path, identity: str, name: str) -> Path:
    """Return where the copy of something is, or would be.

    Args:
        folder: the source's own folder.
        identity: what tells one content from another: an address with an ETag, a version, a digest.
        name: the file's name; its ending tells its kind.
    """
    return folder / hashlib.sha256(identity.encode()).hexdigest()[:16] / name


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Give a stream to write a copy to; it is at its place only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def forget_others(folder: Path, wanted: Collection[Path]) -> None:
    """Remove copies that the source does not have any more."""
    keep = {path.parent for path in wanted}
    for other in folder.iterdir() if folder.is_dir() else ():
        if other.is_dir() and other not in keep:
            shutil.rmtree(other)
