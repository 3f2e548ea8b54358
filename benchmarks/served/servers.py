"""Who serves: how each is started, asked and read; started, awaited, weighed and stopped here."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from benchmarks.peers.environments import environment, quiet, versions
from benchmarks.served import forms
from benchmarks.served.models import Model

_ROOT, _PEERS = Path(__file__).parents[2], Path(__file__).parents[1] / "peers"
_READY_SECONDS, _STOP_SECONDS = 120.0, 20.0
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Server:
    """One way to serve a model.

    Attributes:
        command: of (model, the folder of all its forms, port), with what the environment needs beside.
        path: of (model). body: of (model, rows). read: the chances in an answer.
    """

    name: str
    command: Callable[[Model, Path, int], tuple[list[str], dict[str, str]]]
    path: Callable[[Model], str]
    body: Callable[[Model, int], bytes] = forms.v2
    read: forms.Read = forms.of_v2


@dataclass
class Running:
    """A server that answers; start-up in seconds."""

    url: str
    process: subprocess.Popen[bytes]
    startup: float
    said: list[float] = field(default_factory=list)

    def megabytes(self) -> float:
        """Return the proportional set size of the process and those below it."""
        return sum(_pss(pid) for pid in tree(self.process.pid)) / 1024


def ours(*arguments: str) -> Server:
    """Return the gateway: validation, traffic log, metrics on."""

    def command(_model: Model, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-m", "serving.gateway", "--port", str(port), *arguments], {"UNDERSTUDY_HOME": str(folder / "home")}

    return Server("gateway", command, lambda model: f"/v2/models/{model.name}/infer")


def floor(kind: Literal["", "constant", "queue"] = "") -> Server:
    """Return the bare application: with the same version, with a constant, or with a mirror inside."""

    def command(model: Model, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-m", "benchmarks.served.floor", str(folder / "home"), model.name, str(port), kind], {}

    return Server(f"bare ASGI, {kind}" if kind else "bare ASGI", command, lambda _: "/")


def _mlserver(model: Model, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    place = folder / "mlserver"
    place.mkdir(exist_ok=True)
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    (place / "settings.json").write_text(json.dumps({**ports, "host": "127.0.0.1", "parallel_workers": 0, "debug": False}))
    batching = {"max_batch_size": 64, "max_batch_time": 0.002}
    kind = {"name": model.name, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": str(folder / "model.joblib")}}
    (place / "model-settings.json").write_text(json.dumps(kind | batching))
    return [str(environment("mlserver").with_name("mlserver")), "start", str(place)], {}


def _bentoml(model: Model, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    known = {"SERVED_MODEL": str(folder / "model.joblib"), "BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    program = str(environment("bentoml").with_name("bentoml"))
    command = [program, "serve", "serve_bentoml:Served", "--working-dir", str(_PEERS), "--port", str(port), "--host", "127.0.0.1"]
    return command, known | ({"SERVED_TEXTS": "1"} if model.texts else {})


def _saved(folder: Path) -> Path:
    python, place = environment("mlflow"), folder / "mlflow"
    if not place.exists():
        save = [str(python), str(_PEERS / "serve_mlflow_save.py"), str(folder / "model.joblib"), str(place)]
        subprocess.run(save, check=True, env=quiet(), capture_output=True, cwd=folder)
    return place


def _mlflow(_model: Model, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    program = environment("mlflow").with_name("mlflow")
    bin_first = {"PATH": f"{program.parent}:{os.environ['PATH']}"}  # it starts uvicorn by name
    command = [str(program), "models", "serve", "-m", str(_saved(folder)), "--env-manager", "local", "-w", "1", "-p", str(port)]
    return command, bin_first


def _fastapi(_model: Model, folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    return [str(environment("mlflow")), str(_PEERS / "serve_fastapi.py"), str(_saved(folder)), str(port)], {}


PEERS = {
    "mlserver": Server("MLServer", _mlserver, lambda model: f"/v2/models/{model.name}/infer", forms.mlserver),
    "bentoml": Server("BentoML", _bentoml, lambda _: "/predict", forms.plain, forms.of_plain),
    "mlflow": Server("mlflow models serve", _mlflow, lambda _: "/invocations", forms.mlflow, forms.of_mlflow),
    "fastapi": Server("FastAPI + pyfunc", _fastapi, lambda _: "/predict", forms.plain, forms.of_plain),
}


def version_of(peer: str) -> str:
    """Return the version of a peer, as the list of its environment pins it; FastAPI stands in MLflow's."""
    return versions("mlflow" if peer == "fastapi" else peer)[peer]


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(server: Server, model: Model, folder: Path) -> Iterator[Running]:
    """Start a server, wait for its first answer, and stop it with everything below it.

    Raises:
        RuntimeError: it ended, or gave no answer in time; the end of what it said is in the message.
    """
    port = free_port()
    command, known = server.command(model, folder, port)
    base = os.environ if command[0] == sys.executable else quiet()
    said = folder / f"{server.name.replace(' ', '_')}.log"
    started = time.perf_counter()
    with said.open("wb") as log:
        process = subprocess.Popen(command, cwd=_ROOT, env={**base, **_ONE_THREAD, **known}, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}{server.path(model)}"
        answer = _first_answer(process, url, server.body(model, 2), said)
        yield Running(url, process, time.perf_counter() - started, server.read(answer))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _first_answer(process: subprocess.Popen[bytes], url: str, body: bytes, said: Path) -> object:
    end, status = time.monotonic() + _READY_SECONDS, "no answer"
    while time.monotonic() < end and process.poll() is None:
        try:
            answer = httpx.post(url, content=body, headers={"content-type": "application/json"}, trust_env=False, timeout=30)
            if answer.status_code == httpx.codes.OK:
                return answer.json()
            status = f"{answer.status_code} {answer.text[:300]}"
        except httpx.TransportError:
            pass  # it is not listening yet
        time.sleep(0.05)
    raise RuntimeError(f"{url}: {status}; exit code {process.poll()}; it said: {said.read_text(errors='replace')[-1500:]}")


def pin(pid: int, cores: set[int]) -> None:
    """Let a process and those below it, with all their threads, run on these cores alone."""
    for one in tree(pid):
        for task in Path(f"/proc/{one}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)


def tree(pid: int) -> list[int]:
    """Return a process and those below it."""
    children = [int(one) for task in Path(f"/proc/{pid}/task").glob("*/children") for one in task.read_text().split()]
    return [pid, *(below for child in children for below in tree(child))]


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
