"""A real MLflow server, and a migrated SQLite to copy: both made once a session, for a first connection migrates for seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.prefect_server import free_port

_START_SECONDS = 120.0


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty, migrated MLflow database; copy it to `home/mlflow.db`."""
    from adapters.registry.connection import connect, told

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    uri = f"sqlite:///{path}"
    with told(uri):
        connect(uri).search_registered_models()
    return path


@pytest.fixture(scope="session")
def mlflow_server(mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a server that keeps artifacts itself, as `understudy up` starts it."""
    home, port = tmp_path_factory.mktemp("mlflow-server"), free_port()
    (home / "mlflow.db").write_bytes(mlflow_database.read_bytes())
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}", "--artifacts-destination", str(home / "artifacts")]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=env | {"MLFLOW_DISABLE_TELEMETRY": "true"}, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(server, url, home / "server.log")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # the command and the worker it started; there is nothing to save
        server.wait(20)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise TimeoutError(f"MLflow did not start: {log.read_text()[-2000:]}")
