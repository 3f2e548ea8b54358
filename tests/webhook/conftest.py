"""A real receiver process, its home, its pipelines and its Prefect server."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from adapters.webhook_signature import signed_headers
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
CLIENT = httpx.Client(timeout=30)  # one for all: making a client costs more than a call
SECRET = "a-secret-that-nobody-guesses"


def write_pipeline(folder: Path, name: str, clock: str = "wall") -> None:
    spec = {
        "name": name,
        "task": "regression",
        "clock": clock,
        "source": {"kind": "file", "path": "rows.csv"},
        "columns": {"time": "at", "target": "y", "features": {"numeric": ["a"]}},
        "train": {"holdout": "7d", "estimator": "sklearn.linear_model.Ridge"},
        "gates": [{"metric": "mae", "max": 10}],
        "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
        "monitors": {"cooldown": "1h"},
    }
    (folder / name).mkdir(parents=True)
    (folder / name / "pipeline.yaml").write_text(yaml.safe_dump(spec))
    (folder / name / "params.yaml").write_text("seed: 0\n")


@dataclass(frozen=True)
class Running:
    """A receiver that runs, and what it wrote."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else httpx.Request("POST", self.url, json=body).content
        sent = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"} | headers
        return CLIENT.post(self.url + path, content=content, headers={k: v for k, v in sent.items() if v})

    def post_signed(self, path: str, content: bytes, at: float | None = None) -> httpx.Response:
        headers = signed_headers(SECRET, int(at or time.time()), content)
        return CLIENT.post(self.url + path, content=content, headers=headers)

    def calls(self) -> list[dict[str, Any]]:
        with sqlite3.connect(self.home / "ledger.db") as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute("SELECT * FROM calls ORDER BY id").fetchall()
        connection.close()
        return [dict(row) for row in rows]


@contextmanager
def receiver(home: Path, prefect_url: str | None) -> Iterator[Running]:
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "UNDERSTUDY_"))}
    env |= {"UNDERSTUDY_HOME": str(home), "UNDERSTUDY_PIPELINES": str(home / "pipelines"), "PYTHONPATH": str(ROOT)}
    if prefect_url:
        env["PREFECT_API_URL"] = prefect_url
    with (home / "webhook.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "webhook", "--port", str(port)], env=env, stderr=log, cwd=home)
    running = Running(f"http://127.0.0.1:{port}", home, process)
    try:
        _wait(running)
        yield running
    finally:
        process.terminate()
        process.wait(10)


def _wait(running: Running) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if httpx.get(running.url + "/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise TimeoutError((running.home / "webhook.log").read_text()[-2000:])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with a secret and three pipelines: on the wall clock, on the event clock, and broken."""
    (tmp_path / "webhook.secret").write_text(SECRET)
    write_pipeline(tmp_path / "pipelines", "demand")
    write_pipeline(tmp_path / "pipelines", "clicks", clock="event")
    write_pipeline(tmp_path / "pipelines", "broken")
    (tmp_path / "pipelines" / "broken" / "pipeline.yaml").write_text("name: broken\nunknown: 1\n")
    return tmp_path


@pytest.fixture(scope="session")
def deployed(prefect_server: str) -> str:
    """Return the API's URL of a server that has the retrain deployments, and one that no notification may start."""
    with httpx.Client(base_url=prefect_server, timeout=30) as client:
        client.post("/work_pools/", json={"name": "hooks", "type": "process"})
        for flow, name in (("retrain", "demand"), ("retrain", "clicks"), ("retrain", "broken"), ("rollout", "demand")):
            flow_id = client.post("/flows/", json={"name": flow}).json()["id"]
            made = client.post(
                "/deployments/", json={"name": name, "flow_id": flow_id, "parameters": {"pipeline": name}, "work_pool_name": "hooks"}
            )
            assert made.is_success, made.text
    return prefect_server


@pytest.fixture
def running(home: Path, deployed: str) -> Iterator[Running]:
    """Yield a receiver on an empty ledger."""
    with receiver(home, deployed) as one:
        yield one
