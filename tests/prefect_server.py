"""A real Prefect server for the tests: its own home, an empty SQLite, a free port; used as the fixture `prefect_server`."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.servers import await_server, free_port, shared_place


@contextmanager
def running_prefect(home: Path, port: int, database: Path, *, ui: bool = False) -> Iterator[str]:
    """Start a server with its state in a folder, yield the API's URL, and stop it; started again it knows what it knew.

    Args:
        database: what it begins with: an empty one, migrated.
    """
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "prefect.db").exists():
        shutil.copyfile(database, home / "prefect.db")
    url = f"http://127.0.0.1:{port}/api"
    env = _environment(home, home / "prefect.db") | {"PREFECT_API_URL": url, "PREFECT_SERVER_UI_ENABLED": str(ui).lower()}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("ab") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        await_server(server, f"{url}/health", home / "server.log")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(15)


@pytest.fixture(scope="session")
def prefect_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty, migrated database, made by the first of all test processes; copy it to `prefect.db` of a server's home."""
    with shared_place(tmp_path_factory) as place:
        path = place / "prefect.db"
        if not path.exists():
            command, env = ["prefect", "server", "database", "upgrade", "--yes"], _environment(place / "prefect-home", place / "new.db")
            subprocess.run([sys.executable, "-m", *command], env=env, check=True, capture_output=True, timeout=180)
            with closing(sqlite3.connect(place / "new.db")) as made, closing(sqlite3.connect(place / "part.db")) as copy:
                made.backup(copy)  # what its journal holds, too
            (place / "part.db").replace(path)
    return path


def _environment(home: Path, database: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


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
def prefect_server(prefect_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the API's URL of a real Prefect server."""
    with running_prefect(tmp_path_factory.mktemp("prefect"), free_port(), prefect_database) as url:
        yield url
