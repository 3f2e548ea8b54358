"""Objects of an S3 API, over HTTP: fetched once, by prefix and by version, and what is wrong is said in words."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from adapters.sources import read_rows
from adapters.sources.s3 import fetch_objects, look
from contracts.errors import OutsideError, SpecError
from contracts.spec import Columns, S3Source

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
COLUMNS = Columns.model_validate({"time": "at", "target": "y", "features": {"numeric": ["x"]}})


def day(number: int, x: float = 1.5) -> bytes:
    return f"at,x,y\n2026-01-0{number}T00:00:00,{x},{number}\n".encode()


@pytest.fixture
def store(s3_server: str) -> Iterator[Any]:
    client = boto3.client("s3")
    client.create_bucket(Bucket="rows")
    client.put_bucket_versioning(Bucket="rows", VersioningConfiguration={"Status": "Enabled"})
    yield client
    client.close()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def source(**more: object) -> S3Source:
    return S3Source.model_validate({"kind": "s3", "bucket": "rows", **more})


def put(store: Any, key: str, content: bytes) -> str:
    return str(store.put_object(Bucket="rows", Key=key, Body=content)["VersionId"])


def test_all_objects_below_a_prefix_are_rows_in_order_of_time(store: Any, kept: Path) -> None:
    content = {"in/b.csv": day(1), "in/deep/a.csv.gz": gzip.compress(day(2)), "in/_SUCCESS": b"", "in/": b"", "out/x": b""}
    for key, body in content.items():
        put(store, key, body)
    assert look(source(prefix="in/")) == "2 object(s)"
    assert read_rows(source(prefix="in/"), COLUMNS, None, None, kept)["y"].tolist() == [1, 2]
    put(store, "in/c.csv", day(3))
    assert read_rows(source(prefix="in/"), COLUMNS, datetime(2026, 1, 1, tzinfo=UTC), None, kept)["y"].tolist() == [2, 3]


def test_more_objects_than_one_page_of_the_list_holds(store: Any, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.paginate import Paginator

    for number in range(1, 8):
        put(store, f"in/{number}.csv", day(number))
    paginate = Paginator.paginate
    monkeypatch.setattr(Paginator, "paginate", lambda self, **asked: paginate(self, **asked, PaginationConfig={"PageSize": 2}))
    assert read_rows(source(prefix="in/"), COLUMNS, None, None, kept)["y"].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_only_what_changed_is_fetched_and_what_is_gone_is_forgotten(store: Any, kept: Path) -> None:
    for number in (1, 2, 3):
        put(store, f"in/{number}.csv", day(number))
    first = fetch_objects(source(prefix="in/"), kept)
    times = {path: path.stat().st_mtime_ns for path in first.values()}
    put(store, "in/2.csv", day(2, x=9.5))
    store.delete_object(Bucket="rows", Key="in/3.csv")
    again = fetch_objects(source(prefix="in/"), kept)
    assert again["in/1.csv"].stat().st_mtime_ns == times[first["in/1.csv"]]
    assert again["in/2.csv"].read_bytes() == day(2, x=9.5)
    assert set(kept.rglob("*.csv")) == set(again.values())


def test_a_version_stays_what_it_was(store: Any, kept: Path) -> None:
    old = put(store, "rows.csv", day(1))
    put(store, "rows.csv", day(2))
    assert read_rows(source(key="rows.csv", version=old), COLUMNS, None, None, kept)["y"].tolist() == [1]
    assert read_rows(source(key="rows.csv"), COLUMNS, None, None, kept)["y"].tolist() == [2]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"key": "absent.csv"}, "s3://rows/absent.csv is not there"),
        ({"key": "rows.csv", "version": "8b6b0a0e-0000-0000-0000-000000000000"}, "is not there"),
        ({"bucket": "nowhere", "prefix": "in/"}, "s3://nowhere/in/ is not there: NoSuchBucket"),
        ({"prefix": "absent/"}, "There is no object below s3://rows/absent/"),
        ({"key": "rows.xls"}, "s3://rows/rows.xls is of no kind that is known"),
        ({"key": "bad.csv"}, "s3://rows/bad.csv has no column 'x'"),
    ],
)
def test_mistakes_are_named(store: Any, kept: Path, more: dict[str, object], message: str) -> None:
    for key, content in {"rows.csv": day(1), "rows.xls": b"", "bad.csv": b"at,y\n2026-01-01,1\n"}.items():
        put(store, key, content)
    with pytest.raises(SpecError, match=message):
        read_rows(source(**more), COLUMNS, None, None, kept)


def test_no_credentials_and_no_store_are_two_errors(store: Any, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0)
    with pytest.raises(OutsideError, match="could not be read: Could not connect"):
        read_rows(source(key="rows.csv"), COLUMNS, None, None, kept)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(kept / "absent"))
    boto3.DEFAULT_SESSION = None  # it keeps the credentials it found first
    with pytest.raises(SpecError, match="Set AWS_ACCESS_KEY_ID"):
        read_rows(source(key="rows.csv"), COLUMNS, None, None, kept)
