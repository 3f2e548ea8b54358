"""DVC, used in this process: tracks files of one repository and moves their bytes to and from its remote."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import OutsideError

_CONFIG = "[core]\n    analytics = false\n    autostage = false\n    remote = store\n"
_BLOCK = 1 << 20


def lay_out(root: Path, remote: str) -> None:
    """Write DVC's own files into a git repository; a remote on this machine's disk stays out of git."""
    folder = root / ".dvc"
    folder.mkdir()
    (root / ".dvcignore").write_text("")
    (root / ".gitignore").write_text("*.parquet\n")
    (folder / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    store = f"['remote \"store\"']\n    url = {remote}\n"
    shared = "://" in remote
    (folder / "config").write_text(_CONFIG + (store if shared else ""))
    if not shared:
        (folder / "config.local").write_text(store)


def add_and_push(root: Path, remote: str, path: str) -> None:
    """Track a file (writes `path`.dvc beside it) and copy its bytes to the remote; when this returns they are there.

    Raises:
        OutsideError: the remote could not take them.
    """
    with _opened(root, remote, f"storing {path}") as repo:
        repo.add([str(root.resolve() / path)])
        repo.push([str(root.resolve() / f"{path}.dvc")])


def fetch(root: Path, remote: str, paths: list[str]) -> None:
    """Bring files whose `.dvc` is in the working tree back from the cache or the remote.

    Raises:
        OutsideError: the remote could not give them.
    """
    with _opened(root, remote, f"fetching {', '.join(paths)}") as repo:
        repo.pull([str(root.resolve() / f"{path}.dvc") for path in paths], force=True)


def is_whole(root: Path, path: str) -> bool:
    """Return whether a tracked file is there with exactly the bytes its `.dvc` names."""
    target = root / path
    if not target.is_file():
        return False
    wanted = yaml.safe_load((root / f"{path}.dvc").read_text())["outs"][0]
    if target.stat().st_size != wanted["size"]:
        return False
    digest = hashlib.md5(usedforsecurity=False)
    with target.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return bool(digest.hexdigest() == wanted["md5"])


@contextmanager
def _opened(root: Path, remote: str, doing: str) -> Iterator[Any]:
    os.environ["DVC_NO_ANALYTICS"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # DVC's own use of its libraries, nothing a user could mend
        yield from _guarded(root, remote, doing)


def _guarded(root: Path, remote: str, doing: str) -> Iterator[Any]:
    from botocore.exceptions import BotoCoreError, ClientError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_objects.errors import ObjectFormatError

    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    logging.getLogger("dvc_data").setLevel(logging.CRITICAL)
    core = {"remote": "store", "analytics": False, "autostage": False, "site_cache_dir": str(root / ".dvc" / "tmp" / "site")}
    try:
        with Repo(str(root.resolve()), config={"core": core, "remote": {"store": {"url": remote}}}) as repo:
            yield repo
    except (DvcException, OSError, BotoCoreError, ClientError, ObjectFormatError) as error:
        raise OutsideError(
            f"{doing[0].upper()}{doing[1:]} with DVC failed (remote {remote}): {error}.", "Look at the remote; then try again."
        ) from error
