"""What every server that tests start needs: a free port, patience, and a place that all test processes of a run share."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from adapters.file_lock import file_lock

_START_SECONDS = 120.0


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def await_server(server: subprocess.Popen[bytes], health: str, log: Path) -> None:
    """Wait until a server answers at its health address."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(health, timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise TimeoutError(f"No answer at {health}: {log.read_text()[-2000:]}")


@contextmanager
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Hold a folder that all processes of this test run have, against the others."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    place.mkdir(exist_ok=True)
    with file_lock(place / "lock"):
        yield place
