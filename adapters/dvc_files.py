"""DVC, used in this process: tracks files of one repository and moves their bytes to and from its remote."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import DigestMismatch, OutsideError

_CONFIG = "[core]\n    analytics = false\n    autostage = false\n    remote = store\n"
_BLOCK = 1 << 20
_WAITS = (0.3, 1.5)  # seconds before a remote that failed is tried again
_S3_LIMITS = {"connect_timeout": 10, "read_timeout": 30}  # seconds, of one answer and not of a file
_log = logging.getLogger(__name__)


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
        OutsideError: the remote could not take them, tried several times where it is not a folder.
    """

    def store() -> None:
        with opened(root, remote, f"storing {path}") as repo:
            _track(repo, root.resolve() / path)  # a second time it finds what it did the first
            repo.push([str(root.resolve() / f"{path}.dvc")])

    again(remote, store)


def _track(repo: Any, target: Path) -> None:
    """Do what `dvc add` does, without its look at every file that is tracked already: that grows with the history."""
    stage = repo.stage.create(
        single_stage=True, validate=False, fname=f"{target}.dvc", wdir=str(target.parent), outs=[target.name], force=True
    )
    with repo.lock:
        stage.add_outs()
        stage.dump()


def fetch(root: Path, remote: str, paths: Sequence[str], whose: str) -> None:
    """Bring files whose `.dvc` is in the working tree back from the cache or the remote.

    Args:
        root, remote: of the repository.
        paths: below the root.
        whose: what needs them, for messages.

    Raises:
        OutsideError: the remote does not have them, or could not give them.
        DigestMismatch: the remote gives other bytes than were stored.
    """
    if not paths:
        return
    for path in paths:
        if (root / path).exists():
            _log.warning("%s of %s has other bytes than were stored; it is brought back from the cache or the remote.", root / path, whose)
    stored = [_Stored.told((root / f"{path}.dvc").read_text()) for path in paths]
    for path, copy in zip(paths, _cached(root, remote, stored, whose), strict=True):
        target = root / path
        beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        shutil.copyfile(copy, beside)
        beside.replace(target)


def fetch_cached(root: Path, remote: str, told: Sequence[str], whose: str) -> list[Path]:
    """Return files of the cache by the texts of their `.dvc`, fetched where need be; they may not be changed. Errors as in `fetch`."""
    return _cached(root, remote, [_Stored.told(text) for text in told], whose) if told else []


def again(remote: str, action: Callable[[], None]) -> None:
    """Try an action on a remote; where that is no folder of this machine, again after a while, up to three times in all.

    Raises:
        OutsideError: as the last try raised it.
    """
    for wait in _WAITS if "://" in remote else ():
        try:
            return action()
        except OutsideError as error:
            _log.warning("%s Once more in %g s.", error.message, wait)
            time.sleep(wait)
    return action()


def _cached(root: Path, remote: str, stored: Sequence[_Stored], whose: str) -> list[Path]:
    places = [root / ".dvc" / "cache" / one.key for one in stored]
    wanted = [(one, place) for one, place in zip(stored, places, strict=True) if not one.is_at(place)]
    for one, place in wanted:
        if place.exists():
            _log.warning("The cache's object %s, which %s needs, has other bytes than its name says; it is fetched again.", one.md5, whose)
            place.unlink()
    if wanted:
        again(remote, lambda: _pull(root, remote, wanted, whose))
    return places


def _pull(root: Path, remote: str, wanted: Sequence[tuple[_Stored, Path]], whose: str) -> None:
    """Copy objects one by one: DVC's own way trusts what a remote gives, and removes there what it finds damaged."""
    with opened(root, remote, f"fetching the bytes of {whose}") as repo:
        odb = repo.cloud.get_remote_odb("store")
        for one, place in wanted:
            if one.is_at(place):
                continue  # of a try before
            at, beside = odb.oid_to_path(one.md5), place.with_name(f"{place.name}.part")
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                odb.fs.get_file(at, str(beside))
            except FileNotFoundError:
                raise OutsideError(
                    f"Fetching with DVC failed: the remote has no object {remote}/{one.key}, which {whose} needs.",
                    "Where the remote lost it, run `dvc push` on a machine that has it, or put it back from a backup.",
                ) from None
            if not one.is_at(beside):
                beside.unlink()
                raise DigestMismatch(
                    f"The remote's object {remote}/{one.key}, which {whose} needs, has other bytes than were stored.",
                    "Put it back from a backup, or remove it there and run `dvc push` where the data is whole.",
                )
            beside.chmod(0o444)
            beside.replace(place)


@dataclass(frozen=True, slots=True)
class _Stored:
    """Bytes that DVC keeps, by their digest."""

    md5: str
    size: int

    @classmethod
    def told(cls, text: str) -> _Stored:
        """Read a `.dvc` file."""
        out = yaml.safe_load(text)["outs"][0]
        return cls(out["md5"], out["size"])

    @property
    def key(self) -> str:
        """Where DVC keeps it below a cache or remote."""
        return f"files/md5/{self.md5[:2]}/{self.md5[2:]}"

    def is_at(self, path: Path) -> bool:
        """Return whether a file has exactly these bytes."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
        return digest.hexdigest() == self.md5


def told(texts: Iterable[str]) -> dict[str, int]:
    """Return the md5 and size of what `.dvc` files name."""
    return {one.md5: one.size for one in map(_Stored.told, texts)}


def there(root: Path, remote: str, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return those objects that are in the cache or the remote.

    Raises:
        OutsideError: the remote could not be asked.
    """
    if not sizes:
        return {}
    with opened(root, remote, "looking for objects") as repo:
        odb = repo.cloud.get_remote_odb("store")
        return {md5: size for md5, size in sizes.items() if odb.exists(md5) or repo.cache.local.exists(md5)}


def remove(root: Path, remote: str, md5s: Sequence[str]) -> None:
    """Remove objects from the remote, then from the cache.

    Raises:
        OutsideError: the remote could not remove one.
    """
    if not md5s:
        return
    with opened(root, remote, "removing objects") as repo:
        for odb in (repo.cloud.get_remote_odb("store"), repo.cache.local):
            for md5 in md5s:
                if odb.exists(md5):
                    odb.fs.remove(odb.oid_to_path(md5))


def is_whole(root: Path, path: str) -> bool:
    """Return whether a tracked file is there with exactly the bytes its `.dvc` names."""
    return _Stored.told((root / f"{path}.dvc").read_text()).is_at(root / path)


@contextmanager
def opened(root: Path, remote: str, doing: str) -> Iterator[Any]:
    """Open a repository with this remote; `doing` is what errors say was tried.

    Raises:
        OutsideError: DVC, the disk or the remote failed.
    """
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
    core = {
        "remote": "store",
        "analytics": False,
        "autostage": False,
        "no_scm": True,
        "site_cache_dir": str(root / ".dvc" / "tmp" / "site"),
    }
    # without `no_scm` DVC reads git's whole index to see that a file is not in it; git is asked by us, when all is stored
    limits = _S3_LIMITS if remote.startswith("s3://") else {}
    try:
        with Repo(str(root.resolve()), config={"core": core, "remote": {"store": {"url": remote, **limits}}}) as repo:
            yield repo
    except (DvcException, OSError, BotoCoreError, ClientError, ObjectFormatError) as error:
        raise OutsideError(
            f"{doing[0].upper()}{doing[1:]} with DVC failed (remote {remote}): {error}.", "Look at the remote; then try again."
        ) from error
