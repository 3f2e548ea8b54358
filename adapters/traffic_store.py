"""Where closed segments go: a bucket of an S3 API, or a folder. Names are PIPELINE/STREAM/SEGMENT.parquet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from contracts.errors import OutsideError, UsageError

_ATTEMPTS = 5  # of one call, with growing pauses between them
_SECONDS = 20  # for a connection, and for an answer


class Store(Protocol):
    """An object store."""

    def put(self, path: Path, name: str) -> None:
        """Keep a file under a name; the same again changes nothing. Raises OutsideError."""

    def size(self, name: str) -> int | None:
        """Return the bytes of what is kept under a name, or None where there is nothing. Raises OutsideError."""

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin so. Raises OutsideError."""

    def get(self, name: str, path: Path) -> None:
        """Fetch into a file. Raises OutsideError."""


def open_store(url: str) -> Store:
    """Return the store at `s3://BUCKET/PREFIX`, `file:///FOLDER` or a folder's path.

    Raises:
        UsageError: it is none of these.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, parts.path.strip("/"))
    if parts.scheme in ("", "file"):
        return FolderStore(Path(unquote(parts.path)).absolute())
    raise UsageError(f"UNDERSTUDY_TRAFFIC_URL is '{url}'.", "Give it s3://BUCKET/PREFIX or a folder.")


class FolderStore:
    """A folder, perhaps of another disk or machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, path: Path, name: str) -> None:
        """Copy beside, then rename."""
        target = self._root / name
        with _outside(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f"{target.name}.part")
            shutil.copyfile(path, beside)
            beside.replace(target)

    def size(self, name: str) -> int | None:
        """Return the file's size."""
        with _outside(self._root / name):
            path = self._root / name
            return path.stat().st_size if path.exists() else None

    def names(self, prefix: str) -> list[str]:
        """Return files below."""
        with _outside(self._root):
            found = (path.relative_to(self._root).as_posix() for path in self._root.rglob("*.parquet"))
            return sorted(name for name in found if name.startswith(prefix))

    def get(self, name: str, path: Path) -> None:
        """Copy."""
        with _outside(self._root / name):
            shutil.copyfile(self._root / name, path)


class S3Store:
    """A prefix in a bucket; credentials and address by the usual `AWS_*` variables."""

    def __init__(self, bucket: str, prefix: str) -> None:
        import boto3
        from botocore.config import Config

        retries = {"mode": "standard", "max_attempts": _ATTEMPTS}
        self._client: Any = boto3.client("s3", config=Config(retries=retries, connect_timeout=_SECONDS, read_timeout=_SECONDS))
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""

    def put(self, path: Path, name: str) -> None:
        """Upload, in parts where it is large; an object is there whole or not at all."""
        with _outside(f"s3://{self._bucket}/{self._prefix}{name}"):
            self._client.upload_file(str(path), self._bucket, self._prefix + name)

    def size(self, name: str) -> int | None:
        """Ask for the head."""
        from botocore.exceptions import ClientError

        with _outside(f"s3://{self._bucket}/{self._prefix}{name}"):
            try:
                return int(self._client.head_object(Bucket=self._bucket, Key=self._prefix + name)["ContentLength"])
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                    return None
                raise

    def names(self, prefix: str) -> list[str]:
        """List."""
        with _outside(f"s3://{self._bucket}/{self._prefix}{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
            return [one["Key"].removeprefix(self._prefix) for page in pages for one in page.get("Contents", [])]

    def get(self, name: str, path: Path) -> None:
        """Download."""
        with _outside(f"s3://{self._bucket}/{self._prefix}{name}"):
            self._client.download_file(self._bucket, self._prefix + name, str(path))


@contextmanager
def _outside(what: object) -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (OSError, Boto3Error, BotoCoreError, ClientError) as error:
        raise OutsideError(
            f"{what} cannot be reached: {error}.", "Look at UNDERSTUDY_TRAFFIC_URL and its credentials; it is tried again."
        ) from error
