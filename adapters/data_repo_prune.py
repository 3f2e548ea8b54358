"""Takes snapshots out of the data repository: their tags, then bytes that no snapshot has any more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters import dvc_files
from adapters.data_repo import PRUNED, DataRepo
from adapters.git import git, git_blobs
from contracts.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was taken out, or would be.

    Attributes:
        removed: ids of snapshots, oldest first.
        kept: of the older snapshots, those that stay: id → why.
        objects, bytes: of the DVC remote that no snapshot of any pipeline has any more.
        dry_run: nothing was changed.
    """

    pipeline: str
    removed: tuple[str, ...]
    kept: dict[str, str]
    objects: int
    bytes: int
    dry_run: bool


def prune(repo: DataRepo, pipeline: str, keep: int, needed: Callable[[], Mapping[str, str]], *, dry_run: bool) -> Pruned:
    """Remove all snapshots of a pipeline but the newest ones and those that somebody needs; killed anywhere and run again, it goes on.

    Args:
        repo: whose.
        pipeline: whose snapshots.
        keep: how many of the newest stay, at least 1.
        needed: asked while nobody can add or register anything: snapshot id → who needs it. What it raises stops all.
        dry_run: change nothing.

    Raises:
        OutsideError: the remote could not remove what it should; the tags are gone, and the next run goes on.
    """
    with repo.exclusive():
        found = repo.snapshots(pipeline)
        wanted = needed()
        older = found[: max(0, len(found) - max(keep, 1))]
        doomed = [one for one in older if one.id not in wanted]
        tags = [f"{pipeline}/{one.id}" for one in doomed]
        garbage = _garbage(repo, tags)
        if not dry_run:
            if doomed:
                _forget(repo, pipeline, doomed)
            dvc_files.remove(repo.root, repo.remote, sorted(garbage))
            git(repo.root, "gc", "-q")
        kept = {one.id: wanted[one.id] for one in older if one.id in wanted}
        return Pruned(pipeline, tuple(one.id for one in doomed), kept, len(garbage), sum(garbage.values()), dry_run)


def _forget(repo: DataRepo, pipeline: str, doomed: Sequence[Snapshot]) -> None:
    """Write down what goes, then take the tags; another machine's copies of the tags go by what is written."""
    path = repo.root / pipeline / PRUNED
    known = json.loads(path.read_text()) if path.is_file() else {}
    known |= {one.id: datetime.now(UTC).isoformat(timespec="seconds") for one in doomed}
    path.write_text(json.dumps(known, indent=0) + "\n")
    git(repo.root, "add", "--", f"{pipeline}/{PRUNED}")
    git(repo.root, "commit", "-q", "-m", f"{pipeline}: {len(doomed)} snapshots taken out")
    repo.forget_pruned()
    shutil.rmtree(repo.root / ".dvc" / "tmp" / "site", ignore_errors=True)  # where DVC remembers what the remote has


def _garbage(repo: DataRepo, without: Sequence[str]) -> dict[str, int]:
    """Return objects that the history once had and no remaining tag has, that are still in cache or remote: md5 → bytes."""
    tags = [tag for tag in git(repo.root, "tag", "--list").split() if tag not in set(without)]
    live: set[str] = set()
    for tree in [*tags, "HEAD"]:
        live |= _blobs(git(repo.root, "ls-tree", "-r", tree).splitlines())
    ever = _blobs(git(repo.root, "log", "--all", "--format=", "--raw", "--no-abbrev", "--diff-filter=AM", "--", "*.dvc").splitlines())
    sizes = dvc_files.told(git_blobs(repo.root, sorted(ever)))
    needed = dvc_files.told(git_blobs(repo.root, sorted(live)))
    return dvc_files.there(repo.root, repo.remote, {md5: size for md5, size in sizes.items() if md5 not in needed})


def _blobs(lines: Sequence[str]) -> set[str]:
    """Read `ls-tree` (mode kind blob) and `log --raw` (mode mode old new status) lines of `.dvc` files."""
    found = set()
    for line in lines:
        told, _, path = line.partition("\t")
        if path.endswith(".dvc"):
            words = told.split()
            found.add(words[2] if words[1] == "blob" else words[3])
    return found
