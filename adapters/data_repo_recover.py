"""Puts right what a killed writer left in the data repository; what others did there by hand stays as it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from adapters.git import git, git_blob, tagged
from adapters.manifest import MANIFEST

PRUNED = "pruned.json"  # ids of snapshots that were taken out, with the time
MARKS = "aside.json"  # fingerprints of late rows that were set aside

_WRITING = "understudy-writes"  # there while a writer writes, and after one that did not come to its end; names the pipeline
_PARTITION = re.compile(r"\d{8}T\d{6}-[0-9a-f]{12}\.parquet")
_BESIDE = re.compile(r"\..*\.(part|tmp)")  # a file that was not whole yet


class _Named(msgspec.Struct):
    """The part of a manifest that a tag needs."""

    pipeline: str
    id: str


@contextmanager
def writing(root: Path, pipeline: str = "") -> Iterator[None]:
    """Change the repository; where this does not come to its end, the next `recover` puts it right. The caller holds the lock.

    Args:
        root: of the repository.
        pipeline: whose folder is written to; empty where it is only git's own.
    """
    mark = root / ".git" / _WRITING
    if mark.exists():  # a part of a longer writing
        yield
        return
    with mark.open("w", encoding="utf-8") as file:
        file.write(pipeline)
        file.flush()
        os.fsync(file.fileno())
    yield
    mark.unlink()


def recover(root: Path) -> None:
    """Put right what an earlier writer did not bring to its end, if one did not. The caller holds the lock.

    Of the pipeline that was written to, what is half done goes, and a committed snapshot that has no tag yet gets it: its bytes were pushed
    before. No other file is touched, tracked or not.

    Raises:
        OutsideError: git failed.
    """
    mark = root / ".git" / _WRITING
    if not mark.exists():
        return
    for left in [*_locks(root / ".git"), root / ".dvc" / "tmp" / "rwlock"]:
        left.unlink(missing_ok=True)
    written = mark.read_text(encoding="utf-8")
    for pipeline in [written] if written else _pipelines(root):
        _restore(root, pipeline)
        manifest = git_blob(root, f"HEAD:{pipeline}/{MANIFEST}")
        if manifest is not None:
            _tag(root, msgspec.json.decode(manifest, type=_Named))
    mark.unlink()


def _tag(root: Path, one: _Named) -> None:
    tag = f"{one.pipeline}/{one.id}"
    if tagged(root, tag) is None:
        git(root, "tag", tag, git(root, "log", "-1", "--format=%H", "--", f"{one.pipeline}/{MANIFEST}"))


def _restore(root: Path, pipeline: str) -> None:
    """Make our files in a pipeline's folder what the last commit has; git does not see Parquet files: it is told to ignore them."""
    changed = [line[3:] for line in _listed(root, "status", "--porcelain", "-z", "-uall", "--no-renames", "--", pipeline)]
    changed = [path for path in changed if _is_ours(path, pipeline)]
    if changed:
        git(root, "reset", "-q", "--", *changed)
        known = set(_listed(root, "ls-tree", "-z", "--name-only", "HEAD", "--", *changed))
        if known:
            git(root, "checkout", "-q", "--", *sorted(known))
        for path in set(changed) - known:
            (root / path).unlink(missing_ok=True)
    there = {path.name for path in (root / pipeline).iterdir()} if (root / pipeline).is_dir() else set()
    for name in there:
        if _PARTITION.fullmatch(name) and f"{name}.dvc" not in there:
            (root / pipeline / name).unlink()


def _is_ours(path: str, pipeline: str) -> bool:
    folder, _, name = path.rpartition("/")
    ours = name in {MANIFEST, PRUNED, MARKS} or _PARTITION.fullmatch(name.removesuffix(".dvc")) or _BESIDE.fullmatch(name)
    return folder == pipeline and bool(ours)


def _pipelines(root: Path) -> list[str]:
    names = [name for name in _listed(root, "ls-tree", "-z", "-d", "--name-only", "HEAD") if not name.startswith(".")]
    return [name for name in names if git_blob(root, f"HEAD:{name}/{MANIFEST}") is not None]


def _listed(root: Path, *arguments: str) -> list[str]:
    return [one for one in git(root, *arguments).split("\0") if one]


def _locks(folder: Path) -> list[Path]:
    """Return git's lock files; its objects have none, and are many."""
    refs = [Path(place) / name for place, _, names in os.walk(folder / "refs") for name in names if name.endswith(".lock")]
    return [*folder.glob("*.lock"), *refs]
