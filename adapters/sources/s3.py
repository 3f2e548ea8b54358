"""Rows of objects of an S3 API; an object that is here already, told by its ETag and version, is not fetched again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from adapters.sources.chunks import table_chunks
from adapters.sources.file_kinds import is_table
from adapters.sources.kept import forget_others, place
from adapters.sources.rows import Tables
from adapters.whole_file import whole_file
from contracts.errors import OutsideError, SpecError
from contracts.spec import S3Source

_BLOCK = 1 << 20
_WRONG_NAME = {"NoSuchBucket", "NoSuchKey", "NoSuchVersion", "404", "InvalidArgument", "InvalidBucketName", "400"}
_NO_RIGHT = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "401"}


@dataclass(frozen=True, slots=True)
class _Object:
    key: str
    etag: str
    version: str | None


def tables(source: S3Source, kept: Path) -> Tables:
    """Yield the objects' rows, in order of their keys, piece by piece.

    Raises:
        SpecError: bucket, key or version is not there, credentials are not good for it, or an object is not what its name tells.
        OutsideError: the store does not answer; trying again may help.
    """
    for key, path in fetch_objects(source, kept).items():
        yield from ((f"s3://{source.bucket}/{key}", chunk) for chunk in table_chunks(path, source))


def fetch_objects(source: S3Source, kept: Path) -> dict[str, Path]:
    """Return local copies of the objects as they are now, by key; copies of what is gone are removed. Errors as in `tables`."""
    copies = {}
    with _named(source):
        client = _client()
        for one in _objects(client, source):
            path = place(kept, f"{source.bucket}/{one.key} {one.etag} {one.version}", PurePosixPath(one.key).name)
            if not path.is_file():
                _fetch(client, source.bucket, one, path)
            copies[one.key] = path
    forget_others(kept, list(copies.values()))
    return copies


def look(source: S3Source) -> str:
    """Say what is there, without taking it; the errors are those of `tables`."""
    with _named(source):
        return f"{len(_objects(_client(), source))} object(s)"


def _client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 5}))


def _objects(client: Any, source: S3Source) -> list[_Object]:
    if source.key is not None:
        asked = {"VersionId": source.version} if source.version else {}
        head = client.head_object(Bucket=source.bucket, Key=source.key, **asked)
        _refuse_unknown_kind(source, source.key)
        return [_Object(source.key, head["ETag"], source.version)]
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.prefix)
    found = [_Object(one["Key"], one["ETag"], None) for page in pages for one in page.get("Contents", []) if _is_data(one["Key"])]
    if not found:
        raise SpecError(f"There is no object below s3://{source.bucket}/{source.prefix}.", "Mend source.bucket or source.prefix.")
    for one in found:
        _refuse_unknown_kind(source, one.key)
    return sorted(found, key=lambda one: one.key)


def _is_data(key: str) -> bool:
    """Folders' own entries, `_SUCCESS` and the like lie beside data and are none."""
    return not key.endswith("/") and not PurePosixPath(key).name.startswith(("_", "."))


def _refuse_unknown_kind(source: S3Source, key: str) -> None:
    if not is_table(PurePosixPath(key).name):
        raise SpecError(f"s3://{source.bucket}/{key} is of no kind that is known.", "Give .csv, .csv.gz, .tsv, .parquet or .jsonl objects.")


def _fetch(client: Any, bucket: str, one: _Object, path: Path) -> None:
    """Copy the very bytes that were listed: where the object changed since, the store says so and nothing is kept."""
    asked = {"VersionId": one.version} if one.version else {"IfMatch": one.etag}
    body = client.get_object(Bucket=bucket, Key=one.key, **asked)["Body"]
    with whole_file(path) as stream:
        for block in body.iter_chunks(_BLOCK):
            stream.write(block)


@contextmanager
def _named(source: S3Source) -> Iterator[None]:
    """Say in words what the store answers."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

    where = f"s3://{source.bucket}/{source.key or source.prefix}"
    try:
        yield
    except (NoCredentialsError, ParamValidationError) as error:
        raise SpecError(f"{where} cannot be read: {error}.", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; look at source.") from error
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in _WRONG_NAME:
            raise SpecError(f"{where} is not there: {code} {said}.", "Mend bucket, key, prefix or version under source.") from error
        if code in _NO_RIGHT:
            raise SpecError(f"{where} may not be read: {code} {said}.", "Look at the credentials (AWS_*) and their rights.") from error
        raise OutsideError(f"{where} could not be read: {code} {said}.", "Look at the store; then try again.") from error
    except BotoCoreError as error:
        raise OutsideError(f"{where} could not be read: {error}.", "Look at AWS_ENDPOINT_URL; then try again.") from error
