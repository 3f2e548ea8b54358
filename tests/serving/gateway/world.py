"""What the gateway's tests stand on: fitted packages, a real ledger, the gateway as a process, and load on it."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from adapters.ledger import Ledger
from adapters.onnx_runtime import OnnxModel, versions_here
from adapters.package_store import coerce, load_files, write_package
from adapters.settings import read_settings
from adapters.traffic_log import TrafficLog
from benchmarks.served.checked import Asking
from contracts.package import package_digest
from contracts.rollout import Act, Arm, Decision, ModelRef, Phase, RolloutState, Route
from contracts.spec import Params, PipelineSpec
from training.fit import Fit, fit
from training.parity.proof import Subject, proved_files

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROW = {"a": 0.5, "b": 3, "kind": "x"}
SECONDS = 60.0


def spec(name: str, task: str, estimator: str, features: str | None) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": name,
            "task": task,
            "source": {"kind": "file", "path": "rows.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["a", "b"], "categorical": ["kind"]}},
            "train": {"holdout": "1d", "estimator": estimator, "features": features},
            "gates": [{"metric": "mae" if task == "regression" else "log_loss", "max": 10}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error" if task == "regression" else "log_loss"}]},
        }
    )


def rows(shift: float) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=400), "b": draw.integers(0, 9, 400), "kind": draw.choice(["x", "y", "z"], 400)})
    frame["y"] = shift + frame["a"] + frame["b"]
    frame["event_time"] = pd.date_range("2025-12-01", periods=400, freq="1h", tz="UTC")
    return frame


@dataclasses.dataclass(frozen=True)
class Made:
    """A version in a registry that is a folder, and what it answers to ROW."""

    model: ModelRef
    answer: float


class World:
    """A home with a ledger, versions, and gateways that are stopped at the end."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = read_settings(home)
        self.ledger = Ledger(self.settings.ledger_url)
        self._gateways: list[Gateway] = []
        self._states: dict[str, RolloutState] = {}

    def make(
        self,
        pipeline: str,
        version: str,
        *,
        shift: float = 0.0,
        task: str = "regression",
        estimator: str = "sklearn.tree.DecisionTreeRegressor",
        code: str | None = None,
        params: dict[str, Any] | None = None,
        proved: bool = False,
    ) -> Made:
        """Fit a version and put its package into the registry.

        Args:
            proved: with the proof that lets ONNX Runtime answer.
        """
        frame = rows(shift)
        if task == "binary":
            frame["y"] = (frame["y"] > frame["y"].median()).astype(int)
        if task == "multiclass":
            frame["y"] = pd.cut(frame["y"], 3, labels=["low", "middle", "high"]).astype(str)
        named = None if code is None else "features:build"
        one = fit(frame, spec(pipeline, task, estimator, named), Params(estimator=params or {}), code)
        files = one.files | (_proof(one) if proved else {})
        digest = package_digest(files)
        folder = write_package(self.home / "registry" / pipeline / version, files)
        answer = float(load_files(files, digest).predict(pd.DataFrame([ROW])).ravel()[0])
        return Made(ModelRef(version, digest, folder.as_uri(), "s1", one.cutoff), answer)

    def route(self, pipeline: str, champion: Made, shadow: Made | None = None, exposed: Made | None = None, share: float = 0.5) -> int:
        """Save a route with the next epoch, as a tick would, and return the epoch.

        Args:
            exposed: who answers a share of the units beside the champion.
        """
        before = self._states.get(pipeline)
        revision, epoch = (1, 1) if before is None else (before.revision + 1, before.epoch + 1)
        arms = () if exposed is None else (Arm("champion", champion.model, 1 - share), Arm("candidate", exposed.model, share))
        route = Route(epoch, champion.model, None if shadow is None else shadow.model, arms, f"{pipeline}/{epoch}" if arms else "", epoch)
        state = RolloutState(pipeline, revision, Phase.IDLE, route, champion_since=NOW)
        self.ledger.save(Decision(Act.PROMOTE, state, f"epoch {epoch}", version=champion.model.version), NOW)
        self._states[pipeline] = state
        return epoch

    def log(self, pipeline: str) -> TrafficLog:
        return TrafficLog(self.settings.traffic / pipeline)

    def start(self, **env: str) -> Gateway:
        """Start a gateway and wait until it is ready."""
        one = Gateway(self.home, env)
        self._gateways.append(one)
        one.wait_until(lambda: one.client.get("/v2/health/ready").status_code == 200, "be ready")
        return one

    def close(self) -> None:
        for one in self._gateways:
            one.stop()
        self.ledger.close()


def _proof(one: Fit) -> dict[str, bytes]:
    loaded = load_files(one.files, package_digest(one.files))
    held_out = coerce(one.held_out, loaded.manifest)
    return proved_files(Subject(loaded.manifest, loaded.model, loaded.build, held_out, versions_here()), one.files, OnnxModel)


class Gateway:
    """The gateway as a process, on a port of its own."""

    def __init__(self, home: Path, env: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.grpc_port = int(env.get("UNDERSTUDY_GRPC_PORT", 0))
        self.log_file = home / f"gateway-{self.port}.log"
        known = os.environ | {"UNDERSTUDY_HOME": str(home)} | env
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving.gateway", "--port", str(self.port)], cwd=ROOT, env=known, stderr=log
            )
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=SECONDS)

    def infer(self, pipeline: str, columns: dict[str, list[Any]] | None = None, **more: Any) -> httpx.Response:
        return self.client.post(f"/v2/models/{pipeline}/infer", json={"inputs": tensors(columns), **more})

    def version(self, pipeline: str) -> str | None:
        answer = self.infer(pipeline)
        return str(answer.json()["model_version"]) if answer.status_code == 200 else None

    def metric(self, start: str) -> float:
        """Return the sum of all series whose line starts so."""
        return sum(float(line.rpartition(" ")[2]) for line in self.client.get("/metrics").text.splitlines() if line.startswith(start))

    def said(self) -> str:
        return self.log_file.read_text()

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended with {self.process.returncode}: {self.said()}")
            try:
                if true():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"the gateway did not {what} within {SECONDS:g} s: {self.said()}")

    def stop(self) -> int:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def tensors(columns: dict[str, list[Any]] | None = None) -> list[dict[str, Any]]:
    kinds = {"a": "FP64", "b": "INT64", "kind": "BYTES"}
    given = {name: [value] for name, value in ROW.items()} if columns is None else columns
    return [{"name": name, "datatype": kinds[name], "shape": [len(values)], "data": values} for name, values in given.items()]


@dataclasses.dataclass
class Answered:
    """One request of the load and what came back; status 0 where nothing did."""

    id: str
    status: int
    version: str = ""
    prediction: float = 0.0


class Load(Asking):
    """Several connections that ask one pipeline without pause.

    Args:
        name: before the ids of its requests.
    """

    def __init__(self, port: int, pipeline: str, connections: int = 4, name: str = "") -> None:
        super().__init__(connections)
        self.answers: list[Answered] = []
        self._name, self._port, self._pipeline = name, port, pipeline

    def _ask(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        for count in range(10**9):
            if self._stop.is_set():
                break
            one = Answered(f"{self._name}{number}-{count}", 0)
            try:
                connection.request("POST", f"/v2/models/{self._pipeline}/infer", json.dumps({"id": one.id, "inputs": tensors()}))
                answer = connection.getresponse()
                body = json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                self.answers.append(one)
                break
            one.status = answer.status
            if one.status == 200:
                one.version, one.prediction = body["model_version"], body["outputs"][0]["data"][0]
            self.answers.append(one)
        connection.close()
