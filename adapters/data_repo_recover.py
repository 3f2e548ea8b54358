"""Puts right what a killed writer left in the data repository; nothing is looked at where its writer came to the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from adapters.git import git, tagged
from adapters.manifest import MANIFEST

_WRITING = "understudy-writes"  # there while a writer works, and after one that did not come to its end


class _Named(msgspec.Struct):
    """The part of a manifest that a tag needs."""

    pipeline: str
    id: str


@contextmanager
def written(root: Path) -> Iterator[None]:
    """Write to the repository; what an earlier writer did not bring to its end is put right first. The caller holds the lock.

    Raises:
        OutsideError: git failed.
    """
    mark = root / ".git" / _WRITING
    if mark.exists():
        _recover(root)
    with mark.open("wb") as file:
        os.fsync(file.fileno())
    yield
    mark.unlink()


def _recover(root: Path) -> None:
    """Remove what is half done, and tag a committed snapshot that has no tag yet: its bytes were pushed before."""
    for left in [*_locks(root / ".git"), root / ".dvc" / "tmp" / "rwlock"]:
        left.unlink(missing_ok=True)
    git(root, "reset", "-q", "--hard")
    git(root, "clean", "-fdq")
    for manifest in sorted(root.glob(f"*/{MANIFEST}")):
        one = msgspec.json.decode(manifest.read_bytes(), type=_Named)
        if tagged(root, f"{one.pipeline}/{one.id}") is None:
            git(root, "tag", f"{one.pipeline}/{one.id}", git(root, "log", "-1", "--format=%H", "--", f"{one.pipeline}/{MANIFEST}"))
    for folder in [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]:
        _drop_untracked(folder)


def _locks(folder: Path) -> list[Path]:
    """Return git's lock files; its objects have none, and are many."""
    refs = [Path(place) / name for place, _, names in os.walk(folder / "refs") for name in names if name.endswith(".lock")]
    return [*folder.glob("*.lock"), *refs]


def _drop_untracked(folder: Path) -> None:
    """Remove Parquet files that DVC does not track: git leaves what it is told to ignore."""
    there = {path.name for path in folder.iterdir()}
    for name in there:
        if name.endswith(".parquet") and f"{name}.dvc" not in there:
            (folder / name).unlink()
