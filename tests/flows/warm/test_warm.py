"""The warm engine does a flow run as a fresh process would: its environment, outputs, exit code, signals and death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.warm.place import socket_path
from tests.processes import alive

ENGINE = """
import os, pathlib, sys, time
print("in", pathlib.Path.cwd().name, "for", os.environ["PREFECT__FLOW_RUN_ID"], flush=True)
print("to stderr", file=sys.stderr, flush=True)
pathlib.Path("child.pid").write_text(str(os.getpid()))
if os.environ["PREFECT__FLOW_RUN_ID"] == "slow":
    time.sleep(60)
sys.exit(int(os.environ.get("WANTED", "0")))
"""
SERVER = (
    "import flows.warm.server as s; s._PRELOADED = (); s._ENGINE = 'stand_in_engine'; s.main()"  # a stand-in: the test is about processes
)
CLIENT = [sys.executable, "-m", "flows.warm.client"]


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "stand_in_engine.py").write_text(ENGINE)
    root = Path(__file__).parents[3]
    return {**os.environ, "UNDERSTUDY_HOME": str(tmp_path / "home"), "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}


@pytest.fixture
def server(place: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", SERVER], env=place)
    path = socket_path(Path(place["UNDERSTUDY_HOME"]))
    until(path.exists)
    yield process
    process.terminate()
    process.wait(10)


def until(done: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():  # type: ignore[operator]  # a callable without arguments
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def start(place: dict[str, str], folder: Path, run: str, **more: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    environment = {**place, "PREFECT__FLOW_RUN_ID": run, **more}
    return subprocess.Popen(CLIENT, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def child_of(folder: Path) -> int:
    pid = folder / "child.pid"
    until(lambda: pid.exists() and pid.read_text())
    return int(pid.read_text())


@pytest.mark.usefixtures("server")
def test_a_run_has_the_workers_folder_environment_outputs_and_exit_code(place: dict[str, str], tmp_path: Path) -> None:
    first = start(place, tmp_path / "one", "r1", WANTED="0")
    second = start(place, tmp_path / "two", "r2", WANTED="7")
    assert first.communicate(timeout=20) == ("in one for r1\n", "to stderr\n")
    assert second.communicate(timeout=20) == ("in two for r2\n", "to stderr\n")
    assert (first.returncode, second.returncode) == (0, 7)


@pytest.mark.usefixtures("server")
def test_a_cancelled_run_gets_the_signal(place: dict[str, str], tmp_path: Path) -> None:
    client = start(place, tmp_path / "one", "slow")
    child = child_of(tmp_path / "one")
    client.send_signal(signal.SIGTERM)
    client.communicate(timeout=10)
    assert client.returncode == 128 + signal.SIGTERM
    assert not alive(child)


@pytest.mark.usefixtures("server")
def test_a_client_killed_hard_takes_its_run_with_it(place: dict[str, str], tmp_path: Path) -> None:
    client = start(place, tmp_path / "one", "slow")
    child = child_of(tmp_path / "one")
    client.kill()
    client.communicate()
    until(lambda: not alive(child))
    again = start(place, tmp_path / "two", "r2")
    again.communicate(timeout=20)
    assert again.returncode == 0


def test_an_engine_killed_hard_fails_its_runs_and_leaves_no_orphan(
    place: dict[str, str], tmp_path: Path, server: subprocess.Popen[bytes]
) -> None:
    client = start(place, tmp_path / "one", "slow")
    child = child_of(tmp_path / "one")
    server.kill()
    client.communicate(timeout=10)
    assert client.returncode == 1
    until(lambda: not alive(child))


def test_without_an_engine_a_run_is_done_cold_by_prefects_own(place: dict[str, str], tmp_path: Path) -> None:
    client = start(place, tmp_path / "one", "not-a-run-id")
    _, said = client.communicate(timeout=60)
    assert client.returncode == 1
    assert "Invalid flow run id" in said


def test_the_socket_lies_in_a_folder_only_its_owner_may_enter(place: dict[str, str], server: subprocess.Popen[bytes]) -> None:
    assert server.poll() is None
    path = socket_path(Path(place["UNDERSTUDY_HOME"]))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(str(path)) < 107


SETTINGS = """
from prefect.settings import get_current_settings
now = get_current_settings()
print(now.flows.heartbeat_frequency, now.api.url)
"""


def test_prefects_settings_are_those_of_the_run_and_not_those_the_engine_was_warmed_with(place: dict[str, str], tmp_path: Path) -> None:
    """Else a run would say nothing while it lives, and be called lost after a minute and a half."""
    (tmp_path / "settings_engine.py").write_text(SETTINGS)
    code = "import flows.warm.server as s; s._PRELOADED = ('prefect.flow_engine',); s._ENGINE = 'settings_engine'; s.main()"
    process = subprocess.Popen([sys.executable, "-c", code], env=place)
    try:
        until(socket_path(Path(place["UNDERSTUDY_HOME"])).exists, 60)
        told = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "31", "PREFECT_API_URL": "http://127.0.0.1:1/api"}
        assert start(place, tmp_path / "one", "r1", **told).communicate(timeout=30)[0] == "31 http://127.0.0.1:1/api\n"
    finally:
        process.terminate()
        process.wait(10)
