"""Git, as far as the data repository needs it; independent of the user's identity, hooks and signing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
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
    "-c", "maintenance.auto=false",
    "-c", "init.defaultBranch=main",
)  # fmt: skip

_ACCESS = ("GIT_SSH", "GIT_SSL", "GIT_ASKPASS")  # how a repository elsewhere is reached is the user's


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed, without the last line break.

    Raises:
        OutsideError: git is not installed, or refused.
    """
    return _run(folder, arguments, b"").decode().rstrip("\n")


def tagged(folder: Path, tag: str) -> str | None:
    """Return the commit of a tag; None where there is no such tag. `git tag --list` would read the file of every other one."""
    try:
        return git(folder, "rev-parse", "-q", "--verify", f"refs/tags/{tag}^{{commit}}")
    except OutsideError:
        return None


def git_blob(folder: Path, name: str) -> str | None:
    """Return the text of a file by a name such as `HEAD:PATH`; None where there is none.

    Raises:
        OutsideError: git is not installed.
    """
    head, _, text = _run(folder, ("cat-file", "--batch"), name.encode() + b"\n").partition(b"\n")
    return text[:-1].decode() if head.split()[1:2] == [b"blob"] else None


def git_blobs(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the texts of files by names such as `TAG:PATH`, in one call however many there are.

    Raises:
        OutsideError: git is not installed, or one of them is not there.
    """
    if not names:
        return []
    answer, texts, at = _run(folder, ("cat-file", "--batch"), "\n".join(names).encode() + b"\n"), [], 0
    for name in names:
        end = answer.index(b"\n", at)
        kind = answer[at:end].split()
        if len(kind) != 3 or kind[1] != b"blob":
            raise OutsideError(f"The data repository {folder} has no {name}.", "Bring it back from a clone, or from a backup.")
        at = end + 1 + int(kind[2])
        texts.append(answer[end + 1 : at].decode())
        at += 1
    return texts


def _run(folder: Path, arguments: tuple[str, ...], given: bytes) -> bytes:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(_ACCESS)}
    environment["GIT_TERMINAL_PROMPT"] = "0"  # a question nobody answers would hang a flow
    command = ["git", *_OURS, *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, input=given, capture_output=True, check=False)  # noqa: S603  # no shell
    except FileNotFoundError as error:
        raise OutsideError(f"git could not be run in {folder}.", "Install git.") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
        raise OutsideError(f"git {arguments[0]} failed in {folder}: {said}.", "Mend the data repository.")
    return done.stdout
