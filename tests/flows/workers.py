"""A real Prefect worker on the pool of `understudy deploy`, with small flows to run, and a way to kill it with all its runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.prefect_server import ask_prefect

ROOT = Path(__file__).parents[2]
FLOWS = """
import time
from prefect import flow

@flow(name="patient")
def patient(pipeline: str = "demand") -> None:
    time.sleep(600)

@flow(name="quick")
def quick(pipeline: str = "demand") -> None:
    pass
"""


def environment(home: Path, url: str, **more: str) -> dict[str, str]:
    """Return what every process of a user has around it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "UNDERSTUDY_"))}
    return {
        **kept,
        "UNDERSTUDY_HOME": str(home),
        "UNDERSTUDY_PIPELINES": str(home / "pipelines"),
        "PREFECT_API_URL": url,
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **more,
    }


def run_understudy(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "understudy", *arguments]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def add_deployment(url: str, folder: Path, flow: str, name: str, **more: Any) -> str:
    """Register one of the small flows on our pool, as a deployment of ours; return its id."""
    (folder / "small.py").write_text(FLOWS)
    flow_id = ask_prefect("POST", f"{url}/flows/", {"name": flow}).raise_for_status().json()["id"]
    body = {
        "name": name, "flow_id": flow_id, "tags": ["understudy", "small"], "entrypoint": f"small.py:{flow}", "path": str(folder),
        "work_pool_name": "understudy", "work_queue_name": "cron", **more,
    }  # fmt: skip
    made: str = ask_prefect("POST", f"{url}/deployments/", body).raise_for_status().json()["id"]
    return made


def start_run(url: str, deployment: str, **more: Any) -> str:
    """Create a run and return its id."""
    made: str = ask_prefect("POST", f"{url}/deployments/{deployment}/create_flow_run", more).raise_for_status().json()["id"]
    return made


def state_of(url: str, run: str) -> dict[str, Any]:
    """Return the state of a run, as the server has it."""
    found: dict[str, Any] = ask_prefect("GET", f"{url}/flow_runs/{run}").raise_for_status().json()["state"]
    return found


def until(done: Callable[[], object], seconds: float, what: str) -> float:
    """Wait until something is so, and return how long it took."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds:g} s"
        time.sleep(0.3)
    return time.monotonic() - began


def at_work(home: Path) -> list[int]:
    """Return the processes that work for a home, with every child."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or belongs to somebody else
            if f"UNDERSTUDY_HOME={home}\0".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


@contextmanager
def worker(home: Path, env: dict[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker; at the end it and all its runs are killed."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start", "--pool", "understudy", "--type", "process", *options]
    with (home / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, env=env, cwd=home, stdout=log, stderr=log)
    try:
        yield process
    finally:
        kill_all(home)
        process.wait(10)


def kill_all(home: Path) -> None:
    """Kill whatever works for a home at once, as a power cut would."""
    for pid in at_work(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
