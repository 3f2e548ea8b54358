"""An S3 API for the tests: moto's server on a free port; used as the fixture `s3_server`, with no bucket of any test before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest


@contextmanager
def running_s3() -> Iterator[str]:
    """Start a server, yield its URL, and stop it. It begins empty: what moto holds is shared by all its servers of a process."""
    from moto.server import ThreadedMotoServer  # every test run imports this room, few start a server

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        empty_s3(url)
        yield url
    finally:
        server.stop()


def empty_s3(url: str) -> None:
    """Forget every bucket."""
    httpx.post(f"{url}/moto-api/reset").raise_for_status()


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set address and credentials in the environment, and have boto3 forget those of another test."""
    import boto3

    names = {"ENDPOINT_URL": url, "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}
    for name, value in names.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """Run one server for all tests of the process; it takes half a second to stop."""
    with running_s3() as url:
        yield url


@pytest.fixture
def s3_server(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an S3 API without any bucket; the `AWS_*` variables point at it."""
    empty_s3(s3_address)
    point_at(s3_address, monkeypatch)
    return s3_address
