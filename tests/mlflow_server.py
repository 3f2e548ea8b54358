"""A real MLflow server, and a migrated SQLite to copy: the latter made once a run, for a first connection migrates for seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import await_server, free_port, shared_place


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty, migrated MLflow database; copy it to `home/mlflow.db`."""
    from adapters.registry.connection import connect, told

    with shared_place(tmp_path_factory) as place:
        path, uri = place / "mlflow.db", f"sqlite:///{place / 'new-mlflow.db'}"
        if not path.exists():
            with told(uri):
                connect(uri).search_registered_models()
            (place / "new-mlflow.db").replace(path)
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
        await_server(server, f"{url}/health", home / "server.log")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # the command and the worker it started; there is nothing to save
        server.wait(20)
