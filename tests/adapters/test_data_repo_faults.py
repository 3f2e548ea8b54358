"""Damaged and failing stores: bytes are noticed by their hash and named, a store that fails for a while is tried again."""

from __future__ import annotations

import dataclasses
import http.client
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from adapters.data_repo import DataRepo
from adapters.settings import Settings
from contracts.errors import DigestMismatch, OutsideError
from tests.adapters.test_data_repo import NONE, bucket, rows, settings

__all__ = ["bucket", "settings"]  # fixtures


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def objects(folder: Path) -> list[Path]:
    return [path for path in (folder / "files").rglob("*") if path.is_file()]


def test_a_bit_that_flipped_in_the_working_tree_and_the_cache_is_mended_and_said(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    repo = DataRepo(settings)
    one = repo.add("a", rows("2026-01-01", 1.0, 2.0), NONE, [])
    (cached,) = objects(settings.data_repo / ".dvc" / "cache")
    flipped(settings.data_repo / "a" / one.partitions[0].name)
    flipped(cached)
    with caplog.at_level(logging.WARNING, "adapters"):
        assert repo.frame(one)["x"].tolist() == [1.0, 2.0]
    said = " ".join(caplog.messages)
    assert f"{one.partitions[0].name} of snapshot {one.id} of 'a' has other bytes than were stored" in said
    assert f"The cache's object {cached.parent.name}{cached.name}" in said


def test_a_bit_that_flipped_in_the_remote_is_named_and_nothing_is_read(settings: Settings) -> None:
    repo = DataRepo(settings)
    one = repo.add("a", rows("2026-01-01", 1.0, 2.0), NONE, [])
    (there,) = objects(Path(settings.dvc_remote))
    flipped(there)
    (settings.data_repo / "a" / one.partitions[0].name).unlink()
    shutil.rmtree(settings.data_repo / ".dvc" / "cache")
    for _ in range(2):
        with pytest.raises(DigestMismatch) as caught:
            repo.frame(one)
        assert str(there) in caught.value.message
        assert f"snapshot {one.id} of 'a'" in caught.value.message
        assert objects(settings.data_repo / ".dvc" / "cache") == [], "what is damaged is not kept"
    flipped(there)
    assert repo.frame(one)["x"].tolist() == [1.0, 2.0]


class _Flaky(ThreadingHTTPServer):
    """Hands requests on to an S3 API; the first ones of a method are answered 503, or come late."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        self.behind = behind.removeprefix("http://")
        self.failing: dict[str, int] = {}
        self.slow = 0.0
        self.refused = 0
        super().__init__(("127.0.0.1", 0), _Handed)

    def fails(self, method: str) -> bool:
        if self.failing.get(method, 0) <= 0:
            return False
        self.failing[method] -= 1
        self.refused += 1
        return True


class _Handed(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Flaky

    def _hand(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        time.sleep(self.server.slow)
        if self.server.fails(self.command):
            self._answer(503, {}, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
            return
        connection = http.client.HTTPConnection(self.server.behind, timeout=20)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        self._answer(answer.status, dict(answer.headers), content)
        connection.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _hand

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def flaky(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Flaky]:
    server = _Flaky(os.environ["AWS_ENDPOINT_URL"])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # botocore's own tries, and s3fs's: ours are what is tried here
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setattr("adapters.dvc_files._WAITS", (0.05, 0.1))
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # botocore and moto call datetime.utcnow
def test_a_store_that_fails_for_a_while_or_is_slow_loses_nothing(settings: Settings, flaky: _Flaky, bucket: str) -> None:
    there = dataclasses.replace(settings, dvc_remote=f"s3://{bucket}/store")
    repo = DataRepo(there)
    flaky.failing = {"PUT": 2}
    first = repo.add("a", rows("2026-01-01", 1.0, 2.0), NONE, ["id"])
    assert flaky.refused == 2
    flaky.failing = {"PUT": 1000}
    with pytest.raises(OutsideError, match="Storing"):
        repo.add("a", rows("2026-01-02", 3.0), NONE, ["id"])
    assert [one.id for one in repo.snapshots("a")] == [first.id]
    flaky.failing, flaky.slow = {}, 0.3
    second = repo.add("a", rows("2026-01-02", 3.0, ids=[7]), NONE, ["id"])
    assert boto3.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 2
    for one in second.partitions:
        (there.data_repo / "a" / one.name).unlink()
    shutil.rmtree(there.data_repo / ".dvc" / "cache")
    flaky.slow, flaky.failing = 0.0, {"GET": 2}
    assert repo.frame(second)["x"].tolist() == [1.0, 2.0, 3.0]
