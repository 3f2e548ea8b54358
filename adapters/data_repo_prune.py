"""Takes snapshots out of the data repository: their tags, then bytes that no snapshot has any more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters import dvc_files
from adapters.data_repo import DataRepo
from adapters.data_repo_recover import PRUNED, writing
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
        needed: snapshot id → who needs it. Asked while nobody on this machine can add or register anything, and, where the repository is
            shared, once more when the others have been told: what one of them registered meanwhile is put back. What it raises stops all.
        dry_run: change nothing.

    Raises:
        OutsideError: the remote could not remove what it should; the tags are gone, and the next run goes on.
    """
    with repo.exclusive():
        found = repo.snapshots(pipeline)
        wanted = needed()
        older = found[: max(0, len(found) - max(keep, 1))]
        doomed = [one for one in older if one.id not in wanted]
        if not dry_run and doomed:
            with writing(repo.root, pipeline):
                _forget(repo, pipeline, doomed)
            wanted = {**needed(), **wanted}  # no byte is gone yet
            back = [one for one in doomed if one.id in wanted]
            doomed = [one for one in doomed if one.id not in wanted]
            if back:
                with writing(repo.root, pipeline):
                    _restore(repo, pipeline, back)
        garbage = _garbage(repo, [f"{pipeline}/{one.id}" for one in doomed])
        if not dry_run:
            with writing(repo.root, pipeline):
                dvc_files.remove(repo.root, repo.remote, sorted(garbage))
                git(repo.root, "gc", "-q")
        kept = {one.id: wanted[one.id] for one in older if one.id in wanted}
        return Pruned(pipeline, tuple(one.id for one in doomed), kept, len(garbage), sum(garbage.values()), dry_run)


def _forget(repo: DataRepo, pipeline: str, doomed: Sequence[Snapshot]) -> None:
    """Write down what goes, then take the tags; another machine's copies of the tags go by what is written."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    _write_pruned(repo, pipeline, lambda known: known | {one.id: now for one in doomed}, f"{len(doomed)} snapshots taken out")
    repo.forget_pruned()
    shutil.rmtree(repo.root / ".dvc" / "tmp" / "site", ignore_errors=True)  # where DVC remembers what the remote has


def _restore(repo: DataRepo, pipeline: str, back: Sequence[Snapshot]) -> None:
    """Put snapshots back whose tags are gone and whose bytes are not."""
    ids = {one.id for one in back}
    for one in back:
        git(repo.root, "tag", f"{pipeline}/{one.id}", one.commit)
    kept = f"{len(back)} snapshots are needed and put back"
    _write_pruned(repo, pipeline, lambda known: {name: at for name, at in known.items() if name not in ids}, kept)
    repo.publish()


def _write_pruned(repo: DataRepo, pipeline: str, change: Callable[[dict[str, str]], dict[str, str]], said: str) -> None:
    path = repo.root / pipeline / PRUNED
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(change(known), indent=0) + "\n")
    git(repo.root, "add", "--", f"{pipeline}/{PRUNED}")
    git(repo.root, "commit", "-q", "-m", f"{pipeline}: {said}", "--", f"{pipeline}/{PRUNED}")


def _garbage(repo: DataRepo, without: Sequence[str]) -> dict[str, int]:
    """Return objects that the history once had and no remaining tag has, that are still in cache or remote: md5 → bytes."""
    tags = [tag for tag in git(repo.root, "tag", "--list").split() if tag not in set(without)]
    live: set[str] = set()
    for tree in [*tags, "HEAD"]:
        live |= _blobs(git(repo.root, "ls-tree", "-r", tree).splitlines())
    history = ("log", "--exclude=refs/stash", "--all", "--format=", "--raw", "--no-abbrev", "--diff-filter=AM")
    ever = _blobs(git(repo.root, *history, "--", "*.dvc").splitlines())
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
