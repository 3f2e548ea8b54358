"""The Prefect server that `understudy up` starts: on PostgreSQL by one setting, closed to strangers, and what it does by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from adapters.settings import read_settings
from tests.adapters.ledger.conftest import postgresql
from tests.flows.workers import environment, run_understudy, until
from tests.prefect_server import ask_prefect
from tests.servers import free_port
from tests.webhook.conftest import write_pipeline
from understudy.services.plan import make_plan
from understudy.services.ports import DEFAULTS
from understudy.services.supervisor import ensure_prefect_login

__all__ = ["postgresql"]
ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@dataclass(frozen=True)
class House:
    """A home with one pipeline, and what its Prefect server needs to run."""

    home: Path
    database: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def auth(self) -> str:
        return (self.home / "prefect.auth").read_text().strip()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        return ask_prefect(method, f"{self.url}/{path}", body, self.auth).raise_for_status().json()

    def user(self, **more: str) -> dict[str, str]:
        return environment(self.home, self.url, PREFECT_API_AUTH_STRING=self.auth, **more)

    @contextmanager
    def server(self) -> Iterator[None]:
        """Start the server just as `understudy up` does, and stop it."""
        patch = pytest.MonkeyPatch()
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        patch.setenv("UNDERSTUDY_PREFECT_DATABASE_URL", self.database)
        patch.setenv("PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS", "25")  # else it plans one hour ahead
        ensure_prefect_login(self.home)
        plan = make_plan(read_settings(self.home, self.home / "pipelines"), {**DEFAULTS, "prefect": self.port})
        patch.undo()
        service = next(one for one in plan.services if one.name == "prefect")
        with (self.home / "server.log").open("ab") as log:
            process = subprocess.Popen(service.command, env=plan.environment, stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is None and _healthy(str(service.ready_url)), 150, "the server is ready")
            yield
        finally:
            process.terminate()
            process.wait(30)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success  # a probe needs no password
    except httpx.HTTPError:
        return False


@pytest.fixture
def house(tmp_path: Path, postgresql: str) -> House:
    """Return a home whose pipeline has a cron line for every hour, and an empty database."""
    write_pipeline(tmp_path / "pipelines", "demand")
    file = tmp_path / "pipelines" / "demand" / "pipeline.yaml"
    file.write_text(file.read_text() + 'schedule: {rollout: "0 * * * *", retrain: "0 * * * *", monitor: null, timezone: Europe/Berlin}\n')
    name = f"prefect{time.time_ns()}"
    with psycopg.connect(postgresql.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]  # the name is made here, of digits
    return House(tmp_path, postgresql.removesuffix("postgres") + name, free_port())


def test_the_server_keeps_its_state_on_postgresql_lets_nobody_in_without_the_password_and_catches_up_with_one_run(house: House) -> None:
    with house.server():
        assert (house.home / "prefect.auth").stat().st_mode & 0o777 == 0o600
        assert ask_prefect("POST", f"{house.url}/deployments/filter", {}).status_code == 401
        assert ask_prefect("POST", f"{house.url}/deployments/filter", {}, "admin:guess").status_code == 401
        deployed = run_understudy(house.user(), "--json", "deploy")
        assert deployed.returncode == 0, deployed.stderr
        stranger = run_understudy(environment(house.home, house.url, PREFECT_API_AUTH_STRING="admin:guess"), "deploy")
        assert (stranger.returncode, "Traceback" in stranger.stderr) == (3, False)
        schedule = house.ask("GET", "deployments/name/retrain/demand")["schedules"][0]["schedule"]
        assert (schedule["cron"], schedule["timezone"]) == ("0 * * * *", "Europe/Berlin")
        until(lambda: {flow: len(runs) for flow, runs in planned(house).items()}.get("retrain", 0) > 21, 120, "the scheduler made runs")
        asked = house.ask("POST", f"deployments/{deployment(house, 'retrain')}/create_flow_run", {"parameters": {"reason": "by hand"}})
    assert not (house.home / "prefect" / "prefect.db").exists()
    let_time_pass(house, points=20)
    with house.server():
        until(lambda: len(late(house, "retrain")) == 20, 60, "twenty were missed")
        done = subprocess.run(
            [sys.executable, "-m", "flows.orphans"], env=house.user(), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        newest = max(one["expected_start_time"] for one in planned(house)["rollout"] if one["id"] in late(house, "rollout"))
        for flow in ("retrain", "rollout"):
            (kept,) = late(house, flow)
            assert next(one for one in planned(house)[flow] if one["id"] == kept)["expected_start_time"] == newest
        assert house.ask("GET", f"flow_runs/{asked['id']}")["state"]["type"] == "SCHEDULED"
        dropped = house.ask("POST", "flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": ["Missed"]}}}})
        assert len(dropped) == 38
        status = run_understudy(house.user(), "status", "demand")
        assert "schedule 0 * * * * (Europe/Berlin)" in status.stdout
        assert "by hand; due" in status.stdout


def deployment(house: House, flow: str) -> str:
    return str(house.ask("GET", f"deployments/name/{flow}/demand")["id"])


def planned(house: House) -> dict[str, list[dict[str, Any]]]:
    """Return the runs that the scheduler made and nobody began, by flow."""
    wanted = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "limit": 200}
    found: dict[str, list[dict[str, Any]]] = {}
    for one in house.ask("POST", "flow_runs/filter", wanted):
        if one["auto_scheduled"]:
            found.setdefault(next(tag for tag in one["tags"] if tag in ("retrain", "rollout")), []).append(one)
    return found


def late(house: House, flow: str) -> list[str]:
    now = datetime.now(UTC)
    return [one["id"] for one in planned(house)[flow] if datetime.fromisoformat(one["expected_start_time"]) <= now]


def let_time_pass(house: House, points: int) -> None:
    """Move everything that the stopped server planned back in time: as if it had been down for so many hours."""
    with psycopg.connect(house.database.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT min(expected_start_time) FROM flow_run WHERE auto_scheduled AND state_type = 'SCHEDULED'"
        ).fetchone()
        assert rows is not None
        first = rows[0]
        shift = first - (datetime.now(UTC) - timedelta(hours=points - 0.5))
        connection.execute(
            "UPDATE flow_run SET expected_start_time = expected_start_time - %(by)s,"
            " next_scheduled_start_time = next_scheduled_start_time - %(by)s WHERE auto_scheduled AND state_type = 'SCHEDULED'",
            {"by": shift},
        )
