"""A real Prefect server for the tests: its own home, an empty SQLite, a free port; used as the fixture `prefect_server`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

_START_SECONDS = 120.0  # the first start migrates an empty database: 17 s when nothing else runs


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running_prefect(home: Path, port: int, *, ui: bool = False) -> Iterator[str]:
    """Start a server with its state in a folder, yield the API's URL, and stop it; started again it knows what it knew."""
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}/api"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": str(ui).lower(),
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("ab") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        _wait(server, url, home / "server.log")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(15)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise TimeoutError(f"Prefect did not start: {log.read_text()[-2000:]}")


def ask_prefect(method: str, url: str, body: object = None, auth: str | None = None) -> httpx.Response:
    """Ask Prefect as its own client does: while its SQLite is locked it answers 503, and asking again helps."""
    user, _, password = (auth or "").partition(":")
    for _ in range(20):
        answer = httpx.request(method, url, json=body, timeout=30, auth=(user, password) if auth else None)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(0.5)
    return answer


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the API's URL of a real Prefect server."""
    with running_prefect(tmp_path_factory.mktemp("prefect"), free_port()) as url:
        yield url
