"""What runs: each service's command, environment and the address that says it is ready; pure but for reading the environment once."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.settings import Settings
from contracts.errors import UsageError
from flows.automations import HEARTBEAT_SECONDS
from flows.warm.place import socket_path
from understudy.services.ports import LOOPBACK

POOL = "understudy"


@dataclass(frozen=True, slots=True)
class Service:
    """One child process.

    Attributes:
        ready_url: answers 200 when the service is ready; None where there is nothing to ask.
        ready_file: is there when the service is ready; removed before it starts.
        after: names of services that must be ready before it starts.
    """

    name: str
    command: tuple[str, ...]
    ready_url: str | None = None
    after: tuple[str, ...] = ()
    ready_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All services, the environment they share, and the addresses people are told."""

    services: tuple[Service, ...]
    environment: dict[str, str]
    addresses: dict[str, str] = field(default_factory=dict)


def make_plan(settings: Settings, ports: dict[str, int]) -> Plan:
    """Return what to start; a Prefect or MLflow server named by the environment is used and not started."""
    prefect = os.environ.get("PREFECT_API_URL")
    mlflow = os.environ.get("MLFLOW_TRACKING_URI")
    urls = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
    addresses = {
        "prefect": prefect.removesuffix("/api") if prefect else urls["prefect"],
        "prefect_api": prefect or f"{urls['prefect']}/api",
        "mlflow": mlflow or urls["mlflow"],
        "gateway": urls["gateway"],
        "grpc": f"{LOOPBACK}:{ports['grpc']}",
        "webhook": urls["webhook"],
    }
    services = [
        *([] if prefect else [_prefect(ports["prefect"], addresses["prefect_api"])]),
        *([] if mlflow else [_mlflow(settings, ports["mlflow"], urls["mlflow"])]),
        *_ours(settings, ports, urls),
    ]
    known = {one.name for one in services}
    services = [replace(one, after=tuple(name for name in one.after if name in known)) for one in services]
    return Plan(tuple(services), _environment(settings, addresses), addresses)


def _server(settings: Settings) -> dict[str, str]:
    """Return what our own Prefect server is told: who may ask it, and where it keeps what it knows."""
    database = os.environ.get("UNDERSTUDY_PREFECT_DATABASE_URL")
    said = {"PREFECT_SERVER_API_AUTH_STRING": settings.prefect_auth} if settings.prefect_auth else {}
    return said | ({"PREFECT_SERVER_DATABASE_CONNECTION_URL": prefect_database(database)} if database else {})


def prefect_database(url: str) -> str:
    """Return an SQLAlchemy URL with the driver that Prefect needs: it talks to databases asynchronously.

    >>> prefect_database("postgresql+psycopg://me@host/prefect")
    'postgresql+asyncpg://me@host/prefect'
    """
    scheme, _, rest = url.partition("://")
    drivers = {"postgresql": "asyncpg", "postgres": "asyncpg", "sqlite": "aiosqlite"}
    dialect = scheme.partition("+")[0]
    if dialect not in drivers:
        raise UsageError(f"UNDERSTUDY_PREFECT_DATABASE_URL begins with '{scheme}'.", "Give it a postgresql:// or sqlite:/// address.")
    return f"{dialect.replace('postgres', 'postgresql') if dialect == 'postgres' else dialect}+{drivers[dialect]}://{rest}"


def _prefect(port: int, api: str) -> Service:
    command = (_beside("prefect"), "--no-prompt", "server", "start", "--host", LOOPBACK, "--port", str(port), "--analytics-off")
    return Service("prefect", command, f"{api}/health")


def _mlflow(settings: Settings, port: int, url: str) -> Service:
    store = f"sqlite:///{settings.home / 'mlflow.db'}"
    command = (
        _beside("mlflow"), "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1",
        "--backend-store-uri", store, "--artifacts-destination", str(settings.mlflow_artifacts),
    )  # fmt: skip
    return Service("mlflow", command, f"{url}/health")


def _ours(settings: Settings, ports: dict[str, int], urls: dict[str, str]) -> list[Service]:
    def module(name: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", name, *arguments)

    def at(name: str) -> tuple[str, ...]:
        return ("--host", LOOPBACK, "--port", str(ports[name]))

    worker = (_beside("prefect"), "--no-prompt", "worker", "start", "--pool", POOL, "--type", "process")
    return [
        Service(
            "gateway", module("serving.gateway", *at("gateway"), "--grpc-port", str(ports["grpc"])), f"{urls['gateway']}/v2/health/live"
        ),
        Service("shadow", module("serving.shadow")),
        Service("webhook", module("webhook", *at("webhook")), f"{urls['webhook']}/health"),
        Service("engine", module("flows.warm.server"), ready_file=socket_path(settings.home)),
        Service("deploy", (sys.executable, "-m", "understudy", "deploy"), None, ("prefect",)),
        # only on a server of our own is a run that is under way before the worker starts an orphan: elsewhere another worker does it
        Service("worker", worker if "PREFECT_API_URL" in os.environ else module("flows.orphans", *worker), None, ("deploy",)),
    ]


def _beside(program: str) -> str:
    """Return a program installed beside this interpreter."""
    return str(Path(sys.executable).with_name(program))


def _environment(settings: Settings, addresses: dict[str, str]) -> dict[str, str]:
    fixed = {
        "UNDERSTUDY_HOME": str(settings.home),
        "UNDERSTUDY_PIPELINES": str(settings.pipelines),
        "UNDERSTUDY_GATEWAY_URL": addresses["gateway"],
        "UNDERSTUDY_WEBHOOK_URL": addresses["webhook"],
        "PREFECT_API_URL": addresses["prefect_api"],
        **({"PREFECT_API_AUTH_STRING": settings.prefect_auth} if settings.prefect_auth else {}),
        "MLFLOW_TRACKING_URI": addresses["mlflow"],
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONUNBUFFERED": "1",
    }
    if "PREFECT_API_URL" not in os.environ:
        fixed |= {**_server(settings), "UNDERSTUDY_LOST_AFTER": f"{settings.lost_after:g}"}
    overridable = {
        "OMP_WAIT_POLICY": "passive",  # several processes share few cores: a thread that spins while it waits takes them from the others
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(settings.home / "prefect" / "results"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return {**os.environ, **{name: os.environ.get(name, value) for name, value in overridable.items()}, **fixed}
