"""A ledger on SQLite and on a real PostgreSQL server, started for the tests where it is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ledger import Ledger


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Start a throwaway PostgreSQL server and return its SQLAlchemy URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="understudy-postgresql-"))  # not below pytest's own folder: PostgreSQL's user may not enter it
    run = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if run:
        shutil.chown(folder, "postgres", "postgres")
    data, port, binaries = folder / "data", _free_port(), found[-1].parent
    subprocess.run(
        [*run, str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "understudy", "--no-sync"], check=True, capture_output=True
    )
    options = ["-D", str(data), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-F"]
    server = subprocess.Popen([*run, str(binaries / "postgres"), *options], stderr=subprocess.DEVNULL)
    try:
        _wait(f"postgresql://understudy@127.0.0.1:{port}/postgres")
        yield f"postgresql+psycopg://understudy@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)


def _wait(url: str) -> None:
    import psycopg

    for _ in range(200):
        try:
            psycopg.connect(url).close()  # its port is open a moment before it takes connections
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("PostgreSQL did not start")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty ledger."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    base = str(request.getfixturevalue("postgresql"))
    name = f"t{time.time_ns()}"
    import psycopg

    with psycopg.connect(base.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]  # the name is made here, of digits
    return base.removesuffix("postgres") + name


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """Return an open ledger."""
    one = Ledger(url)
    yield one
    one.close()
