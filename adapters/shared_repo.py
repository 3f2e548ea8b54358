"""The shared copy of the data repository, behind a git URL: brought before anything is read, and told of every snapshot."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from adapters.data_repo_recover import writing
from adapters.git import git
from contracts.errors import Conflict, OutsideError, UsageError

BRANCH = "main"
_THERE = f"refs/remotes/origin/{BRANCH}"
_log = logging.getLogger(__name__)


class SharedRepo:
    """One branch and its tags at a git URL, and their working copy on this machine.

    A tag there is what a tag here is: proof that the snapshot's bytes are in the DVC remote. Branch and tag go up in one atomic push.
    The caller holds the lock of the working copy.
    """

    def __init__(self, root: Path, url: str) -> None:
        self._root = root
        self._url = url

    def clone(self) -> bool:
        """Make the working copy, whole or not at all; False where nothing was ever pushed to the URL.

        Raises:
            OutsideError: the URL could not be read.
        """
        building = self._root.with_name(f"{self._root.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        git(building, "init", "-q")
        git(building, "remote", "add", "origin", self._url)
        if not self._fetch(building):
            shutil.rmtree(building)
            return False
        git(building, "checkout", "-q", "-B", BRANCH, _THERE)
        building.rename(self._root)
        return True

    def adopt(self, building: Path) -> None:
        """Push a repository that was made here: the URL had nothing yet."""
        git(building, "remote", "add", "origin", self._url)
        self._push(building)

    def bring(self) -> None:
        """Take what is new at the URL; what a killed process committed here and did not push is pushed, or goes where another was first.

        Raises:
            OutsideError: the URL could not be read.
            UsageError: the working copy belongs to another URL.
        """
        if git(self._root, "remote").split() != ["origin"] or git(self._root, "remote", "get-url", "origin") != self._url:
            raise UsageError(
                f"The data repository in {self._root} was not made for UNDERSTUDY_DATA_REPO={self._url}.",
                "Take another UNDERSTUDY_HOME, or move that folder away.",
            )
        self._fetch(self._root)
        here, there = git(self._root, "rev-parse", "HEAD"), git(self._root, "rev-parse", _THERE)
        if here == there:
            return
        with writing(self._root):
            if git(self._root, "merge-base", here, there) == there:
                self._push(self._root)
            else:
                self._follow()

    def publish(self) -> None:
        """Push the branch and its tags, all or nothing.

        Raises:
            Conflict: somebody else pushed first; the working copy is theirs now.
            OutsideError: the URL could not be written; the working copy is as it was before.
        """
        try:
            self._push(self._root)
        except OutsideError as error:
            before = git(self._root, "rev-parse", _THERE)
            try:
                self._fetch(self._root)
            finally:
                self._follow()
            if git(self._root, "rev-parse", _THERE) != before:
                raise Conflict(f"Somebody else pushed to {self._url} first.", "Read again.") from error
            raise

    def forget(self, tags: Sequence[str]) -> None:
        """Push the branch, which says what was taken out, and take these tags away there too; those that are gone already are no error.

        Raises:
            Conflict: somebody else pushed first. OutsideError: the URL could not be written.
        """
        self.publish()
        there = set(git(self._root, "ls-remote", "--tags", "origin").split())
        known = [f"refs/tags/{tag}" for tag in tags if f"refs/tags/{tag}" in there]
        if known:
            git(self._root, "push", "-q", "origin", "--delete", *known)

    def _fetch(self, folder: Path) -> bool:
        """Fetch branch and tags; tags of snapshots that are not there (a killed process made them) go."""
        if not git(folder, "ls-remote", "--heads", "origin", BRANCH):
            return False
        with writing(folder):
            git(folder, "fetch", "-q", "--force", "origin", f"+refs/heads/{BRANCH}:{_THERE}", "+refs/tags/*:refs/tags/*")
        return True

    def _follow(self) -> None:
        """Become what is there; what somebody did here by hand stays, but for what is in the way: it is stashed."""
        try:
            git(self._root, "reset", "-q", "--keep", _THERE)
        except OutsideError:
            git(self._root, "stash", "push", "-q", "--include-untracked", "-m", f"In the way of what came from {self._url}")
            _log.warning("Changes by hand in %s were in the way of what came from %s; `git stash` has them.", self._root, self._url)
            git(self._root, "reset", "-q", "--keep", _THERE)
        for tag in git(self._root, "tag", "--list", "--no-merged", _THERE).split():
            git(self._root, "tag", "-d", tag)

    def _push(self, folder: Path) -> None:
        git(folder, "push", "-q", "--atomic", "origin", f"HEAD:refs/heads/{BRANCH}", "--tags")
        git(folder, "update-ref", _THERE, "HEAD")
