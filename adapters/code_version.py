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
    changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    further = git(folder, "ls-files", "--others", "--exclude-standard", "--", ".")
    return commit, not changed and not further
