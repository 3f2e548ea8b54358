"""Copies of files from elsewhere: named by what they are a copy of, so that the same bytes are fetched once, and whole or not at all.

One process at a time may write below a folder; an ingest holds the data repository's lock while it reads its source.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path


def place(folder: Path, identity: str, name: str) -> Path:
    """Return where the copy of something is, or would be.

    Args:
        folder: the source's own folder.
        identity: what tells one content from another: an address with an ETag, a version, a digest.
        name: the file's name; its ending tells its kind.
    """
    return folder / hashlib.sha256(identity.encode()).hexdigest()[:16] / name


def forget_others(folder: Path, wanted: Collection[Path]) -> None:
    """Remove copies that the source does not have any more."""
    keep = {path.parent for path in wanted}
    for other in folder.iterdir() if folder.is_dir() else ():
        if other.is_dir() and other not in keep:
            shutil.rmtree(other)
