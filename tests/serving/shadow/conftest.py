"""A home with a pipeline, real packages, a real ledger and a real log; and the shadow process that follows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from adapters import traffic_frames
from adapters.ledger import Ledger
from adapters.package_store import load_package, write_package
from adapters.settings import Settings, read_settings
from adapters.traffic_log import TrafficLog, epoch_us
from contracts.package import package_digest
from contracts.rollout import Act, Decision, ModelRef, Phase, Route, ShadowView, fresh_state
from contracts.spec import Params, PipelineSpec
from contracts.traffic import AnsweredBatch
from training.fit import fit

ROOT = Path(__file__).parents[3]
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = "def build(frame):\n    return frame\n"
SPEC: dict[str, Any] = {
    "name": "demand",
    "task": "regression",
    "source": {"kind": "file", "path": "rows.csv"},
    "columns": {"time": "at", "target": "y", "features": {"numeric": ["a", "b"], "categorical": ["kind"]}},
    "train": {"holdout": "7d", "estimator": "sklearn.linear_model.Ridge", "features": "features:build"},
    "gates": [{"metric": "mae", "max": 10}],
    "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error", "rehearse": "10d"}]},
}


def history(hours: int) -> pd.DataFrame:
    draw = np.random.default_rng(hours)
    frame = pd.DataFrame({"a": draw.normal(size=hours), "b": draw.integers(0, 9, hours), "kind": draw.choice(["x", "y"], hours)})
    frame["y"] = 3 * frame["a"] + frame["b"]
    frame["event_time"] = pd.date_range(BEGAN, periods=hours, freq="1h")
    return frame


def hour(number: int) -> datetime:
    return BEGAN + timedelta(hours=number)


@dataclass
class World:
    """One pipeline: what was logged, who is routed, what the shadow answered."""

    settings: Settings
    ledger: Ledger
    logged: int = 0
    name: str = "demand"

    @property
    def log(self) -> TrafficLog:
        return TrafficLog(self.settings.traffic / self.name)

    def model(self, version: str, fitted_until: int, code: str = PLAIN) -> ModelRef:
        """Fit a version on the hours before a number, and keep its package."""
        files = fit(history(fitted_until + 7 * 24), PipelineSpec.model_validate(SPEC), Params(), code).files
        folder = write_package(self.settings.home / "registry" / version, files)
        return ModelRef(version, package_digest(files), folder.as_uri(), "s1", hour(fitted_until - 1))

    def route(self, epoch: int, champion: ModelRef, shadow: ModelRef | None, phase: Phase = Phase.RUNNING) -> None:
        before = self.ledger.state(self.name)
        state = replace(fresh_state(self.name), revision=before.revision + 1, phase=phase, stage=0, route=Route(epoch, champion, shadow))
        self.ledger.save(Decision(Act.START, state, "a test"), hour(0))

    def serve(self, hours: range, version: str, epoch: int, **features: list[Any]) -> None:
        """Log one answered row for each hour."""
        log = self.log
        for number in hours:
            draw = {"a": [number / 100], "b": [number % 9], "kind": ["x"]} | features
            log.append(
                AnsweredBatch(
                    self.name, version, epoch, "champion", 1.0, time.time_ns() // 1000, 900, [f"h{number}"], [0], [epoch_us(hour(number))],
                    [None], draw, [0.0],
                )
            )  # fmt: skip
        self.logged += len(hours)

    @property
    def words(self) -> str:
        path = self.settings.home / "shadow.log"
        return path.read_text()[-2000:] if path.exists() else ""

    def answered(self, version: str, epoch: int) -> pd.DataFrame:
        frame = traffic_frames.shadow_answers(self.log, version)
        return frame[frame["epoch"] == epoch]

    def hours(self, version: str, epoch: int) -> list[int]:
        """The hours answered, in order, without those that failed."""
        frame = self.answered(version, epoch)
        return sorted(int(one[1:]) for one in frame[frame["error"].isna()]["request_id"])

    def failed(self, version: str, epoch: int) -> dict[int, str]:
        frame = self.answered(version, epoch).dropna(subset=["error"])
        return {int(one[1:]): error for one, error in zip(frame["request_id"], frame["error"], strict=True)}

    def truth(self, model: ModelRef, hours: list[int]) -> list[float]:
        """What the model answers to these hours when it is asked here."""
        package = load_package(Path(model.uri.removeprefix("file://")), model.digest)
        frame = pd.DataFrame({"a": [one / 100 for one in hours], "b": [one % 9 for one in hours], "kind": ["x"] * len(hours)})
        return [float(one) for one in package.predict(frame)]

    def await_view(self, told: Callable[[ShadowView], bool], seconds: float = 60) -> ShadowView:
        deadline = time.monotonic() + seconds
        view = None
        while time.monotonic() < deadline:
            view = self.ledger.shadow(self.name)
            if view is not None and told(view):
                return view
            time.sleep(0.05)
        raise TimeoutError(f"{view}; {self.words}")

    def await_caught_up(self, epoch: int, rows: int | None = None) -> ShadowView:
        now = datetime.now(UTC)
        return self.await_view(
            lambda view: (view.epoch, view.lag_rows) == (epoch, 0) and view.seen_at > now and (rows is None or view.rows >= rows)
        )

    def await_dead(self, process: int) -> None:
        self._await(lambda: not Path(f"/proc/{process}").exists())

    def await_childless(self, process: int) -> None:
        self._await(lambda: not Path(f"/proc/{process}/task/{process}/children").read_text())

    def _await(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(self.words)
            time.sleep(0.05)

    @contextmanager
    def shadow(self, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the shadow process as `understudy up` does."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")} | {"PYTHONPATH": str(ROOT)}
        env |= {"UNDERSTUDY_HOME": str(self.settings.home), "UNDERSTUDY_PIPELINES": str(self.settings.pipelines)}
        env |= {"UNDERSTUDY_SHADOW_NICE": "0"} | more
        with (self.settings.home / "shadow.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "serving.shadow"], env=env, stderr=log, cwd=self.settings.home)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def copy_of(world: World, name: str) -> World:
    """Return another pipeline in the same home, with the same files."""
    folder = world.settings.pipelines / name
    shutil.copytree(world.settings.pipelines / world.name, folder)
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(SPEC | {"name": name}))
    return World(world.settings, world.ledger, name=name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield an empty world."""
    folder = tmp_path / "pipelines" / "demand"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(SPEC))
    (folder / "params.yaml").write_text("seed: 0\n")
    (folder / "features.py").write_text(PLAIN)
    settings = read_settings(home=tmp_path / "home", pipelines=tmp_path / "pipelines")
    ledger = Ledger(settings.ledger_url)
    yield World(settings, ledger)
    ledger.close()
