"""Rows of a data set in somebody else's DVC repository, at a revision; bytes that are here already are not fetched again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from adapters.sources.chunks import table_chunks
from adapters.sources.file_kinds import is_table
from adapters.sources.kept import forget_others, place
from adapters.sources.rows import Tables
from adapters.sources.variables import expanded
from adapters.whole_file import whole_file
from contracts.errors import DigestMismatch, OutsideError, SpecError
from contracts.spec import DvcSource

_BLOCK = 1 << 20


def tables(source: DvcSource, kept: Path) -> Tables:
    """Yield the rows of all files at the revision, in order of their paths, piece by piece.

    Raises:
        SpecError: repository, revision, remote or path is not there, or a file is not of the kind that its name tells.
        OutsideError: the DVC remote cannot give the bytes; trying again may help.
        DigestMismatch: the DVC remote gives other bytes than were committed.
    """
    for name, path in fetch_files(source, kept).items():
        yield from ((f"{name} of {source.repo}", chunk) for chunk in table_chunks(path, source))


def fetch_files(source: DvcSource, kept: Path) -> dict[str, Path]:
    """Return local copies of the files as they are at the revision, by path; copies of others are removed. Errors as in `tables`."""
    copies = {}
    with _opened(source) as files:
        for name, info in _listed(files, source).items():
            digest, kind = _digest(info)
            path = place(kept, f"{name} {digest}", PurePosixPath(name).name)
            if digest is None or not path.is_file():
                _fetch(files, source, name, path, digest if kind == "md5" else None)
            copies[name] = path
    forget_others(kept, list(copies.values()))
    return copies


def look(source: DvcSource) -> str:
    """Say what is there, without taking it; the errors are those of `tables`."""
    with _opened(source) as files:
        return f"{len(_listed(files, source))} file(s)"


def _listed(files: Any, source: DvcSource) -> dict[str, Any]:
    try:
        info = files.info(source.path)
    except FileNotFoundError:
        at = f" at '{source.rev}'" if source.rev else ""
        raise SpecError(f"{source.repo} has no '{source.path}'{at}.", "Mend source.path or source.rev in pipeline.yaml.") from None
    found = {source.path: info} if info["type"] == "file" else files.find(source.path, detail=True)
    tables = {name: info for name, info in sorted(found.items()) if is_table(PurePosixPath(name).name)}
    if not tables:
        raise SpecError(f"'{source.path}' of {source.repo} holds no file of a kind that is known.", "Give .csv, .parquet or .jsonl files.")
    return tables


def _digest(info: Any) -> tuple[str | None, str | None]:
    """DVC's digest of a file and its kind; old repositories have one over changed line ends, and files of git alone have none."""
    known = info.get("dvc_info")
    return (known["md5"], known["entry"].hash_info.name) if known and known.get("md5") else (None, None)


def _fetch(files: Any, source: DvcSource, name: str, path: Path, wanted: str | None) -> None:
    found = hashlib.md5(usedforsecurity=False)
    try:
        with files.open(name, "rb") as stream, whole_file(path) as copy:
            while block := stream.read(_BLOCK):
                found.update(block)
                copy.write(block)
            if wanted and found.hexdigest() != wanted:
                raise DigestMismatch(
                    f"The DVC remote of {source.repo} gives other bytes for '{name}' than were committed.", "Tell its owners."
                )
    except FileNotFoundError as error:
        raise OutsideError(
            f"The DVC remote of {source.repo} has no bytes for '{name}'.", "Let its owners run `dvc push`; then try again."
        ) from error


@contextmanager
def _opened(source: DvcSource) -> Iterator[Any]:
    """Open the repository as a file system; a clone of it lasts as long as the block."""
    from botocore.exceptions import BotoCoreError, ClientError
    from dvc.api import DVCFileSystem
    from dvc.config import RemoteConfigError
    from dvc.exceptions import DvcException
    from dvc.repo.open_repo import clean_repos
    from dvc.scm import CloneError, RevError

    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address = expanded(source.repo, "source.repo")
    rev = source.rev or ("HEAD" if Path(address).exists() else None)  # what was committed, never what lies in a working tree
    files = None
    try:
        files = DVCFileSystem(address, rev=rev, remote=source.remote)
        yield files
    except RevError:
        raise SpecError(f"{source.repo} has no revision '{source.rev}'.", "Mend source.rev in pipeline.yaml.") from None
    except RemoteConfigError:
        raise SpecError(f"{source.repo} knows no DVC remote '{source.remote}'.", "Mend source.remote in pipeline.yaml.") from None
    except CloneError as error:
        why = str(error.__cause__ or error).replace(address, source.repo)
        raise OutsideError(f"{source.repo} could not be cloned: {why}.", "Look at source.repo and git's credentials.") from None
    except (DvcException, OSError, BotoCoreError, ClientError) as error:
        raise OutsideError(f"{source.repo} could not be read: {error}.", "Look at its DVC remote; then try again.") from error
    finally:
        if files is not None:
            files.close()
        clean_repos()
