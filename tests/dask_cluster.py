"""A real Dask scheduler and two worker processes, started once a file: one that idles takes a tenth of a core."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import free_port

_START_SECONDS = 120.0
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the scheduler's address; both workers are there."""
    place, address = tmp_path_factory.mktemp("dask"), f"tcp://127.0.0.1:{free_port()}"
    scheduler = ["scheduler", "--host", address, "--no-dashboard", "--no-show"]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(place)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    processes = []
    try:
        with (place / "log").open("wb") as log:
            for command in (scheduler, worker, worker):
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]],
                        cwd=place, env=env, stdout=log, stderr=log, start_new_session=True,
                    )
                )  # fmt: skip
        _wait(address, place / "log")
        yield address
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def _wait(address: str, log: Path) -> None:
    from distributed import Client

    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            with Client(address, timeout=2, set_as_default=False) as client:
                client.wait_for_workers(2, timeout=max(1.0, deadline - time.monotonic()))
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"Dask did not start: {log.read_text()[-2000:]}")
