"""Rows of a file behind an HTTP address: asked for only if it changed, and taken up where a broken download ended."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

from adapters.sources.chunks import table_chunks
from adapters.sources.file_kinds import is_table
from adapters.sources.kept import forget_others, place
from adapters.sources.rows import Tables
from adapters.sources.variables import expanded, variable
from adapters.whole_file import write_whole
from contracts.errors import DigestMismatch, OutsideError, SpecError
from contracts.spec import HttpSource

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)  # of one read, not of the download
_WAITS = (0.2, 1.0, None)  # seconds before a broken connection is tried again; None: no more
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of bytes on disk; the address is kept as a digest, for it may hold a secret."""

    address: str
    etag: str
    modified: str
    file: str
    size: int = 0


class _Useless(Exception):
    """The server does not continue the part that is here; it was removed."""


def tables(source: HttpSource, kept: Path) -> Tables:
    """Yield the file's rows, piece by piece.

    Raises:
        SpecError: the address, the file or its size is not as pipeline.yaml says.
        OutsideError: the server did not answer, or broke off; what came is kept, and the next try goes on from there.
        DigestMismatch: the bytes are not those of source.sha256.
    """
    yield from ((source.url, chunk) for chunk in table_chunks(download(source, kept), source))


def download(source: HttpSource, kept: Path) -> Path:
    """Return a local copy of the file as it is now; the errors are those of `tables`.

    Args:
        source: where it is.
        kept: the folder of the copy, of a part of one, and of what the server said about them.
    """
    kept.mkdir(parents=True, exist_ok=True)
    for wait in _WAITS:
        try:
            with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
                return _Download(source, kept).run(client)
        except _Useless:
            continue
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise _no_address(source) from None
        except httpx.HTTPError as error:
            if wait is None:
                raise OutsideError(
                    f"{source.url} could not be downloaded: {_said(error)}.", "Look at the server; what came is kept, so try again."
                ) from error
            time.sleep(wait)
    raise OutsideError(f"{source.url} changes while it is downloaded.", "Try again later.")


def look(source: HttpSource, kept: Path) -> str:
    """Say what the server answers, without taking the file; the errors are those of `tables`."""
    try:
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
            return _Download(source, kept).look(client)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise _no_address(source) from None
    except (httpx.HTTPError, _Useless) as error:
        raise OutsideError(f"{source.url} does not answer: {_said(error)}.", "Look at the server and at source.url.") from error


def _no_address(source: HttpSource) -> SpecError:
    return SpecError(f"'{source.url}' is no address.", "Mend source.url in pipeline.yaml.")


def _said(error: Exception) -> str:
    return str(error).strip().rstrip(".").splitlines()[0] if str(error).strip() else type(error).__name__


class _Download:
    def __init__(self, source: HttpSource, kept: Path) -> None:
        self._source, self._kept = source, kept
        self._url = expanded(source.url, "source.url")
        self._address = hashlib.sha256(self._url.encode()).hexdigest()
        self._name = _file_name(source, self._url)
        self._part = kept / "part"
        self._whole_note, self._part_note = kept / "whole.json", kept / "part.json"

    def run(self, client: httpx.Client) -> Path:
        whole, part = self._whole(), self._begun()
        have = self._part.stat().st_size if part else 0
        with client.stream("GET", self._url, headers=self._headers(whole, part, have)) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED and whole:
                return self._approved(Path(whole.file))
            self._refuse(response, have)
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                have, part = 0, self._begin(response)
            assert part is not None  # noqa: S101  # a partial answer without a part here was refused
            self._take(response, have)
        return self._finish(part)

    def look(self, client: httpx.Client) -> str:
        with client.stream("GET", self._url, headers=self._headers(None, None, 0)) as response:
            self._refuse(response, 0)
            size = response.headers.get("content-length")
        return f"{self._name}, {size} bytes" if size else self._name

    def _headers(self, whole: _Seen | None, part: _Seen | None, have: int) -> dict[str, str]:
        wanted = {"Accept-Encoding": "identity"}  # of encoded bytes no part could be asked for
        if self._source.authorization_env:
            wanted["Authorization"] = variable(self._source.authorization_env, "source.authorization_env")
        if part:
            return {**wanted, "Range": f"bytes={have}-", "If-Range": _validator(part)}
        if whole and whole.etag:
            wanted["If-None-Match"] = whole.etag
        elif whole and whole.modified:
            wanted["If-Modified-Since"] = whole.modified
        return wanted

    def _refuse(self, response: httpx.Response, have: int) -> None:
        """Raise what an answer without the wanted bytes means."""
        code, url = response.status_code, self._source.url
        continues = response.headers.get("content-range", "").startswith(f"bytes {have}-")
        if code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE or (code == httpx.codes.PARTIAL_CONTENT and not (have and continues)):
            self._part_note.unlink(missing_ok=True)
            raise _Useless
        if code in {401, 403}:
            raise SpecError(
                f"{url} answers {code}: it wants to know who asks.", "Name a variable with a valid header in source.authorization_env."
            )
        if code in {404, 410}:
            raise SpecError(f"{url} answers {code}: there is no such file.", "Mend source.url in pipeline.yaml.")
        if code not in {200, 206}:
            raise OutsideError(f"{url} answers {code} {response.reason_phrase}.", "Look at the server; then try again.")
        if response.headers.get("content-encoding", "identity") != "identity" and not self._name.endswith(".gz"):
            raise OutsideError(f"{url} sends encoded bytes, which were not asked for.", "Let the server send the file as it is.")
        self._refuse_if_large(have + int(response.headers.get("content-length", 0)))

    def _refuse_if_large(self, size: int) -> None:
        if size > self._source.max_megabytes * _MEGABYTE:
            self._part_note.unlink(missing_ok=True)
            self._part.unlink(missing_ok=True)
            raise SpecError(
                f"{self._source.url} is larger than the {self._source.max_megabytes} MB that source.max_megabytes allows.",
                "Raise it, if the file is meant to be so large.",
            )

    def _begin(self, response: httpx.Response) -> _Seen:
        seen = _Seen(self._address, response.headers.get("etag", ""), response.headers.get("last-modified", ""), self._name)
        self._part_note.unlink(missing_ok=True)  # first the note: one that stands speaks of the bytes beside it
        self._part.write_bytes(b"")
        _note(self._part_note, seen)
        return seen

    def _take(self, response: httpx.Response, have: int) -> None:
        with self._part.open("ab") as stream:
            for block in response.iter_raw():  # as it comes: what a larger buffer holds would be lost with the connection
                have += len(block)
                self._refuse_if_large(have)
                stream.write(block)

    def _finish(self, part: _Seen) -> Path:
        path = place(self._kept, f"{self._address} {part.etag} {part.modified}", self._name)
        path.parent.mkdir(exist_ok=True)
        size = self._part.stat().st_size
        self._whole_note.unlink(missing_ok=True)
        self._part.replace(path)
        _note(self._whole_note, _Seen(self._address, part.etag, part.modified, str(path), size))
        self._part_note.unlink(missing_ok=True)
        forget_others(self._kept, [path])
        return self._approved(path)

    def _approved(self, path: Path) -> Path:
        if self._source.sha256 is None:
            return path
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != self._source.sha256:
            self._whole_note.unlink()
            raise DigestMismatch(
                f"{self._source.url} has the digest {found} and not that of source.sha256.",
                "Find out who changed it.",
            )
        return path

    def _whole(self) -> _Seen | None:
        seen = _noted(self._whole_note, self._address)
        if seen and Path(seen.file).name == self._name and Path(seen.file).is_file() and Path(seen.file).stat().st_size == seen.size:
            return seen
        return None

    def _begun(self) -> _Seen | None:
        seen = _noted(self._part_note, self._address)
        return seen if seen and self._part.is_file() and self._part.stat().st_size and _validator(seen) else None


def _validator(seen: _Seen) -> str:
    """What proves that a part belongs to the file as it is now; a weak ETag does not."""
    return seen.etag if seen.etag and not seen.etag.startswith("W/") else seen.modified


def _file_name(source: HttpSource, url: str) -> str:
    name = f"rows.{source.format}" if source.format else PurePosixPath(unquote(urlsplit(url).path)).name
    if not is_table(name):
        raise SpecError(f"The name of {source.url} does not tell what kind of file it is.", "Name it in source.format: csv, parquet, …")
    return name


def _note(path: Path, seen: _Seen) -> None:
    write_whole(path, json.dumps(asdict(seen)).encode())


def _noted(path: Path, address: str) -> _Seen | None:
    if not path.is_file():
        return None
    seen = _Seen(**json.loads(path.read_text()))
    return seen if seen.address == address else None
