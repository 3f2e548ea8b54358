"""A pipeline's world for ticks: real ledger, real traffic log, real MLflow registry on SQLite; models that only the test knows."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.file_lock import file_lock
from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.registry import Registry
from adapters.settings import Settings, read_settings
from adapters.traffic_log import TrafficLog, epoch_us
from contracts.events import Cause, Trigger
from contracts.rollout import Act, GatewayView, ModelRef, Phase, RolloutState, ShadowView
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, ShadowBatch
from flows.stages.tick import TickResult, tick

START = datetime(2012, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2011, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPEC: dict[str, Any] = {
    "name": "sales",
    "task": "regression",
    "clock": "event",
    "source": {"kind": "file", "path": "rows.csv"},
    "columns": {"time": "at", "target": "y", "label_delay": "1h", "features": {"numeric": ["x"]}},
    "train": {"holdout": "1d", "estimator": "x.y"},
    "gates": [{"metric": "mae", "max": 100}],
    "rollout": {
        "stages": [{"kind": "shadow", "loss": "absolute_error", "block": "1d", "rehearse": "28d", "min_blocks": 8}],
        "guardrails": {"error_rate": 0.01},
        "watch": "7d",
    },
}
TRIGGER = Trigger(Cause.SCHEDULE, "due", "cron")


def five_versions(factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database with five registered versions of `sales`; seconds of migrations, so made once for all tests of a run."""
    own = factory.getbasetemp()
    temporary = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # the folder that the processes of a run share
    path = temporary / "five-versions" / "mlflow.db"
    with file_lock(temporary / "five-versions.lock"):
        if not path.exists():
            path.parent.mkdir()
            made = path.with_suffix(".part")
            client = Registry(replace(read_settings(path.parent, path.parent), mlflow_uri=f"sqlite:///{made}"))._client
            client.create_registered_model("sales")
            for number in range(5):
                client.create_model_version("sales", f"file:///models/{number + 1}")
            made.rename(path)
    return path


@dataclass
class World:
    """Everything a tick meets, below one folder.

    Attributes:
        errors: by version, how far its answers lie from the truth.
        by_heart: by version, how many of the first hours it knows by heart, having been fitted on them.
        shadow_works: whether the process in shadow is alive.
    """

    folder: Path
    mlflow: Path
    spec: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(SPEC)))
    errors: dict[str, float] = field(default_factory=dict)
    by_heart: dict[str, int] = field(default_factory=dict)
    shadow_works: bool = True
    hours: int = 0
    followed: dict[tuple[str, int], int] = field(default_factory=dict)  # by version and epoch: logged batches it has come to

    @cached_property
    def settings(self) -> Settings:
        place = self.folder / "pipelines" / "sales"
        place.mkdir(parents=True)
        (place / "pipeline.yaml").write_text(json.dumps(self.spec))
        (place / "params.yaml").write_text("seed: 1\n")
        (self.folder / "home").mkdir()
        shutil.copy(self.mlflow, self.folder / "home" / "mlflow.db")
        return read_settings(self.folder / "home", self.folder / "pipelines")

    @cached_property
    def pipeline(self) -> Pipeline:
        return load_pipeline(self.settings, "sales")

    def respec(self, **rollout: Any) -> None:
        """Change keys of the spec's rollout as somebody does who edits the file between two ticks."""
        self.spec["rollout"] |= rollout
        (self.settings.pipelines / "sales" / "pipeline.yaml").write_text(json.dumps(self.spec))
        self.__dict__.pop("pipeline", None)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.settings.ledger_url)

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.settings)

    @cached_property
    def log(self) -> TrafficLog:
        return TrafficLog(self.settings.traffic / "sales")

    @property
    def state(self) -> RolloutState:
        return self.ledger.state("sales")

    @property
    def acts(self) -> list[str]:
        return [one.act.value for one in reversed(self.ledger.decisions("sales"))]

    def model(self, version: str, cutoff: datetime = LONG_AGO) -> ModelRef:
        return ModelRef(version, f"digest-{version}", f"file:///models/{version}", "s1", cutoff)

    def submit(self, version: str, error: float, cutoff: datetime = LONG_AGO) -> None:
        """Ask that a version become champion whose answers are `error` from the truth, give or take."""
        self.errors[version] = error
        self.ledger.submit("sales", self.model(version, cutoff), (), TRIGGER)

    def serve(self, hours: int, *, labels: float | None = 100.0) -> None:
        """One request an hour: the champion answers, labels come, and while somebody is in shadow it follows."""
        state, first = self.state, self.hours
        self.hours += hours
        names = [f"r{number}" for number in range(first, self.hours)]
        times = [epoch_us(START + number * HOUR) for number in range(first, self.hours)]
        version = state.champion.version  # type: ignore[union-attr]  # nobody serves before the first champion
        for number, answer in enumerate(self.answers(version, first, hours)):
            asked = {"x": [(first + number) % 24]}  # the hour of the day
            name, time = [names[number]], [times[number]]
            self.log.append(AnsweredBatch("sales", version, state.epoch, "champion", 1, 0, 900, name, [0], time, [None], asked, [answer]))
        if labels is not None:
            self.label(names, labels)
        if self.shadow_works:
            self.follow()

    def label(self, names: list[str], value: Any, received_at: int = 1) -> None:
        count = len(names)
        self.log.append(FeedbackBatch("sales", received_at, names, [0] * count, [value] * count, [None] * count, [received_at] * count))

    def follow(self) -> None:
        """Do the shadow process's work: rehearse all that was logged, or under watch follow what this epoch logs."""
        state = self.state
        who = state.route.shadow
        if who is None:
            return
        rehearses = Phase.RUNNING in {state.phase, state.paused_from}
        logged = self.log.read(AnsweredBatch, "answers")
        place = (who.version, state.epoch)
        for batch in logged[self.followed.get(place, 0) :]:
            if rehearses or batch.epoch == state.epoch:
                number = int(batch.request_ids[0][1:])
                answer = self.answers(who.version, number, 1)
                self.log.append(ShadowBatch("sales", who.version, state.epoch, 0, 800, batch.request_ids, batch.rows, answer))
        self.followed[place] = len(logged)
        self.report_shadow()

    def report_shadow(self, **changes: Any) -> None:
        who = self.state.route.shadow
        if who is not None:
            view = ShadowView(who.version, self.state.epoch, 0, 0.0, self.hours, datetime.now(UTC))
            self.ledger.report_shadow("sales", replace(view, **changes))

    def answers(self, version: str, first: int, hours: int) -> list[float]:
        noise = np.random.default_rng([int(version), first]).normal(size=hours)
        known = self.by_heart.get(version, 0)
        return [100.0 if first + hour < known else float(100 + self.errors[version] + one) for hour, one in enumerate(noise)]

    def fail(self, requests: int) -> None:
        champion, epoch = self.state.champion, self.state.epoch
        for number in range(requests):
            self.log.append(FailedBatch("sales", champion.version if champion else "?", epoch, 0, [f"f{number}"], "MemoryError"))

    def gateway(self) -> None:
        """Do the gateway's work: take over the route and say so."""
        state = self.state
        if state.champion is not None:
            self.ledger.report_gateway("sales", GatewayView("g1", state.epoch, state.champion.version, datetime.now(UTC)))

    def tick(self, **more: Any) -> TickResult:
        return tick(self.settings, self.pipeline, more.pop("registry", self.registry), more.pop("ledger", self.ledger), **more)

    def settle(self, most: int = 8) -> list[str]:
        """Tick, with a gateway that follows and a shadow at work, until nothing more happens; return what was done."""
        done: list[str] = []
        for _ in range(most):
            self.gateway()
            if self.shadow_works:
                self.follow()
            result = self.tick()
            if result.decision.act is not Act.HOLD:
                done.append(result.decision.act.value)
            elif "sent again" not in result.decision.reason:
                return done
        return done
