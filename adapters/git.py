"""Git, as far as the data repository needs it; independent of the user's identity, hooks and signing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from contracts.errors import OutsideError

_OURS = (
    "-c", "user.name=Understudy",
    "-c", "user.email=understudy@localhost",
    "-c", "commit.gpgsign=false",
    "-c", "tag.gpgsign=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsync=all",
    "-c", "gc.auto=0",
    "-c", "init.defaultBranch=main",
)  # fmt: skip

_ACCESS = ("GIT_SSH", "GIT_SSL", "GIT_ASKPASS")  # how a repository elsewhere is reached is the user's


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed, without the last line break.

    Raises:
        OutsideError: git is not installed, or refused.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_ACCESS)}
    environment["GIT_TERMINAL_PROMPT"] = "0"  # a question nobody answers would hang a flow
    command = ["git", *_OURS, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    except FileNotFoundError as error:
        raise OutsideError(f"git could not be run in {folder}.", "Install git.") from error
    if done.returncode:
        raise OutsideError(
            f"git {arguments[0]} failed in {folder}: {done.stderr.strip() or done.stdout.strip()}.", "Mend the data repository."
        )
    return done.stdout.rstrip("\n")
