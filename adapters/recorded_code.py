"""Where the code of a fit was, and how its commit is brought back; of an address nothing secret is kept."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from adapters.code_version import code_version
from adapters.git import git
from contracts.errors import OutsideError

_OURS = Path(__file__).parents[1]


def code_text(folder: Path) -> str:
    """Return `name==value` lines: origin and folder of a pipeline's files in their repository, and the commit of Understudy's own code."""
    return f"origin=={_origin(folder)}\nfolder=={_inside(folder)}\nunderstudy=={own_code()}\n"


def own_code() -> str:
    """Return the commit that Understudy itself runs at, marked where its files are changed; `none` where it was installed."""
    try:
        git(_OURS, "ls-files", "--error-unmatch", "--", "flows/__init__.py")  # a .venv within some repository is not in it
    except OutsideError:
        return "none"
    commit, clean = code_version(_OURS / "flows")
    return f"{commit}{'' if clean else ' and changed'}"


def safe_address(address: str) -> str:
    """Return an address of a repository without what may be secret: of http(s) no user at all, of others no password; never a query."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    name = "" if parts.scheme in {"http", "https"} else user.partition(":")[0]
    return urlunsplit((parts.scheme, f"{name}@{host}" if name else host, parts.path, "", ""))


def check_out(source: str, commit: str, place: Path) -> None:
    """Bring one commit of a repository, an address or a folder, into a folder of its own; the source is only read.

    Raises:
        OutsideError: it could not be reached, or does not have the commit.
    """
    place.mkdir(parents=True)
    git(place, "init", "-q")
    try:
        try:
            git(place, "fetch", "-q", "--depth", "1", "--", source, commit)
        except OutsideError:  # some servers give what a branch or a tag names, and nothing else
            git(place, "fetch", "-q", "--", source, "+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/fetched/tags/*")
        git(place, "checkout", "-q", "--detach", commit)
    except OutsideError:
        raise OutsideError(  # git's own words may repeat a password
            f"Commit {commit[:12]} could not be fetched from {safe_address(source)}.", "Name a repository that has it with --code."
        ) from None


def _origin(folder: Path) -> str:
    try:
        said = git(folder, "remote", "get-url", "origin")
        root = Path(git(folder, "rev-parse", "--show-toplevel"))
    except OutsideError:
        return "none"
    return str((root / said).resolve()) if (root / said).is_dir() else safe_address(said)


def _inside(folder: Path) -> str:
    try:
        return git(folder, "rev-parse", "--show-prefix").rstrip("/") or "."
    except OutsideError:
        return "none"
