"""Which code is running: the git commit around a pipeline's files, and whether the tree is as committed."""

from __future__ import annotations

from pathlib import Path

from adapters.git import git
from contracts.errors import OutsideError


def code_version(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit of the repository around a folder, and whether nothing that decides a fit differs from it.

    That is: no tracked file is changed, and no file in the folder is untracked. (None, None) outside a repository.
    """
    try:
        commit = git(folder, "rev-parse", "--verify", "-q", "HEAD")
    except OutsideError:
        return None, None
    return commit, not changed_files(folder)


def changed_files(folder: Path) -> list[str]:
    """Return the tracked files of the repository that are not as committed, and the folder's untracked ones; none outside a repository."""
    try:
        changed = git(folder, "status", "--porcelain", "--untracked-files=no")
        further = git(folder, "ls-files", "--others", "--exclude-standard", "--full-name", "--", ".")
    except OutsideError:
        return []
    return [*(line[3:] for line in changed.splitlines()), *further.splitlines()]


def changed_between(folder: Path, then: str, now: str) -> list[str] | None:
    """Return the files that two commits have differently; None where the repository does not have both and its origin cannot give them."""
    try:
        if not _has(folder, then):
            git(folder, "fetch", "-q", "origin", then)
        return git(folder, "diff", "--name-only", then, now).splitlines()
    except OutsideError:
        return None


def _has(folder: Path, commit: str) -> bool:
    try:
        git(folder, "cat-file", "-e", f"{commit}^{{commit}}")
    except OutsideError:
        return False
    return True
