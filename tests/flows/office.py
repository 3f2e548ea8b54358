"""What a Prefect user has: a real server with its UI, a worker, a warm engine, deployments; one home with three small pipelines.

`sales` is judged and promoted by hand (see rollout_world); `shop` is refitted (see retrain_world); a fit of `slow` sleeps.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters.prefect_api import FlowRun, PrefectApi, RunState
from flows.warm.place import socket_path
from tests.flows.stages import retrain_world
from tests.flows.stages.rollout_world import World
from tests.prefect_server import running_prefect
from tests.servers import free_port

SHOP = "shop"
SLOW = "slow"
SLEEPS = """
import os, pathlib, time

def sleep(frame):
    pathlib.Path({started!r}).write_text(str(os.getpid()))
    time.sleep(600)
    return frame
"""


def until(done: Callable[[], Any], what: str, seconds: float = 120.0) -> Any:
    """Wait until something is true and return it."""
    ends = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < ends, f"did not happen: {what}"
        time.sleep(0.2)
    return found


@dataclass
class Office:
    """Where everything is, and the processes that work for it."""

    world: World
    api_url: str
    mlflow_url: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def ui_url(self) -> str:
        return self.api_url.removesuffix("/api")

    @property
    def environment(self) -> dict[str, str]:
        folder = self.world.folder
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))},
            "UNDERSTUDY_HOME": str(folder / "home"),
            "UNDERSTUDY_PIPELINES": str(folder / "pipelines"),
            "PREFECT_HOME": str(folder / "home" / "prefect"),
            "PREFECT_API_URL": self.api_url,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "MLFLOW_TRACKING_URI": self.mlflow_url,
            "UNDERSTUDY_LOST_AFTER": "0",  # as `up` does with its own server on SQLite
            "GX_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def start(self, name: str, *command: str) -> None:
        with (self.world.folder / f"{name}.log").open("ab") as log:
            self.processes.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True))

    def run(self, api: PrefectApi, flow: str, pipeline: str, **parameters: Any) -> FlowRun:
        return api.create_run(api.deployment(flow, pipeline), {"pipeline": pipeline, **parameters})

    def ended(self, api: PrefectApi, run: FlowRun) -> RunState:
        until(lambda: api.state(run.id).ended, f"the end of {run.url}")
        return api.state(run.id)


def write_shop(folder: Path, name: str, **train: str) -> Path:
    """Write a pipeline that is refitted, and its data."""
    place = folder / "pipelines" / name
    place.mkdir(parents=True)
    spec = {**retrain_world.SPEC, "name": name, "source": {"kind": "file", "path": str(folder / "rows.csv")}}
    spec |= {"schedule": {"rollout": None, "monitor": None}, "train": {**spec["train"], **train}}
    (place / "pipeline.yaml").write_text(json.dumps(spec))
    (place / "params.yaml").write_text("seed: 1\nestimator: {alpha: 0.5}\n")
    retrain_world.table().to_csv(folder / "rows.csv", index=False)
    return place


def register_sales(world: World) -> None:
    """Register five versions of `sales`; models that only the test knows."""
    client = world.registry._client
    if client.search_registered_models("name = 'sales'"):  # another file's, on the server that all share
        client.delete_registered_model("sales")
    client.create_registered_model("sales")
    for number in range(5):
        client.create_model_version("sales", f"s3://models/{number + 1}")


@contextmanager
def open_office(folder: Path, mlflow_database: Path, mlflow_url: str, prefect_database: Path) -> Iterator[Office]:
    """Start everything, and stop it whatever happens."""
    world = World(folder, mlflow_database)
    world.spec["rollout"] |= {"promotion": "manual", "approval": {"expires": "3d"}}
    world.spec["schedule"] = {"rollout": None, "monitor": None}
    world.settings = replace(world.settings, mlflow_uri=mlflow_url)  # the first look at it writes the pipeline
    register_sales(world)
    write_shop(folder, SHOP)
    slow = write_shop(folder, SLOW, features="slowly:sleep")
    (slow / "slowly.py").write_text(SLEEPS.format(started=str(folder / "started")))
    with running_prefect(folder / "server", free_port(), prefect_database, ui=True) as url:
        office = Office(world, url, mlflow_url)
        try:
            office.start("engine", sys.executable, "-m", "flows.warm.server")
            deploy = [sys.executable, "-m", "understudy", "deploy"]
            subprocess.run(deploy, env=office.environment, check=True, stdout=subprocess.DEVNULL, timeout=180)
            until(socket_path(folder / "home").exists, "a warm engine", 180)
            office.start(
                "worker", sys.executable, "-m", "prefect", "--no-prompt", "worker", "start", "--pool", "understudy", "--type", "process"
            )
            yield office
        finally:
            for process in reversed(office.processes):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


def field(page: Any, title: str) -> Any:
    """Return one field of a form in Prefect's UI by its title."""
    label = page.locator(".schema-form-property__label", has_text=re.compile(rf"^{re.escape(title)}( \(Optional\))?$"))
    return page.locator(".schema-form-property", has=label).last


def fill(page: Any, title: str, text: str) -> None:
    """Write into a field."""
    field(page, title).locator("textarea, input").first.fill(text)


def choose(page: Any, title: str, text: str) -> None:
    """Choose one of what a field offers, by keyboard and mouse."""
    field(page, title).locator("button.p-select-button__control").press("ArrowDown")
    page.locator(".p-select-option", has_text=text).click()
