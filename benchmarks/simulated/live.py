"""From registration to decision on the real local path: MLflow, ledger, gateway, traffic log, shadow process, and tick after tick.

The champion was fitted before the concept shifted and has answered two days of simulated clicks since, whose labels are in. A refit is
registered and submitted; it rehearses on what it was not fitted on. Then somebody takes the relative gates out of the spec and fits on the
old data again: that version is worse today, and is to be rejected while users go on asking.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.frame import Bench, Row
from benchmarks.simulated.services import services

_NAME = "ad_clicks"
_SHIFT = datetime(2026, 2, 2, tzinfo=UTC)
_NOW = _SHIFT + timedelta(days=2)
_GOING_ON = timedelta(days=1)
_SPEED = 14_400.0  # four hours of users a second, while the worse candidate is judged
_ROWS = 30  # in a request
_MOST_SECONDS = 120.0
_PAUSE_SECONDS = 0.2
_BAR_SECONDS = 120.0  # minutes, where waiting for labels would take days


def measure(bench: Bench) -> None:
    """Add the rows.

    Raises:
        TimeoutError: a decision did not come within two minutes.
    """
    warnings.simplefilter("ignore")  # libraries about their own insides
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with tempfile.TemporaryDirectory() as folder, _stage(Path(folder)) as stage:
        stage.users(_SHIFT, _NOW)
        _report(bench, "a better candidate, from registration to promotion", stage.decided(stage.retrain(_NOW), "promote"))
        stage.watched()
        decided, answered, exposed = stage.worse()
        _report(bench, "a worse candidate, from registration to rejection", decided)
        bench.add(Row("rehearsal, a worse candidate: rows that users had answered while it was in shadow", answered))
        bench.add(Row("rehearsal, a worse candidate: of them answered by it, counted in the traffic log", exposed, bar=0.0))


def _report(bench: Bench, what: str, one: _Decided) -> None:
    bench.add(Row(f"rehearsal, {what}: s", one.seconds, bar=_BAR_SECONDS))
    if one.shadow_seconds is not None:
        bench.add(Row(f"rehearsal, {what}: of it until the shadow had answered {one.rows} logged rows, s", one.shadow_seconds))
    bench.add(Row(f"rehearsal, {what}: of it within {one.ticks} ticks, s", one.tick_seconds))
    bench.add(Row(f"rehearsal, {what}: blocks of half an hour behind the verdict", one.blocks))


@dataclass(frozen=True)
class _Submitted:
    version: str
    snapshot: str
    registered: float  # on the monotonic clock, when the registry had it


@dataclass(frozen=True)
class _Decided:
    """What it took.

    Attributes:
        seconds: from registration to the saved decision.
        shadow_seconds: from registration until the shadow process was seen at the end of the log; None where it was decided before.
        rows: logged rows that it had answered then.
        tick_seconds: within ticks.
        blocks: behind the verdict on the paired loss.
    """

    seconds: float
    shadow_seconds: float | None
    rows: int
    ticks: int
    tick_seconds: float
    blocks: int


@contextmanager
def _stage(folder: Path) -> Iterator[_Stage]:
    """Everything a rollout meets, in one folder: the first champion answers at the gateway, and the shadow process waits."""
    from adapters.ledger import Ledger
    from adapters.registry import Registry
    from adapters.settings import read_settings

    shutil.copytree(Path(__file__).parents[2] / "pipelines" / _NAME, folder / "pipelines" / _NAME)
    settings = read_settings(folder / "state", folder / "pipelines")
    pipeline = _rewritten(settings, _shadow_alone)
    ledger, registry = Ledger(settings.ledger_url), Registry(settings)
    first = _Stage(settings, pipeline, ledger, registry, "")
    snapshot = first.retrain(_SHIFT).snapshot
    first.until("bootstrap")
    try:
        with services(settings) as reachable:
            yield _Stage(reachable, pipeline, ledger, registry, snapshot)
    finally:
        ledger.close()


def _shadow_alone(spec: dict[str, Any]) -> None:
    """The shadow decides; the stages after it ask users, for days."""
    spec["rollout"]["stages"] = spec["rollout"]["stages"][:1]


def _lenient(spec: dict[str, Any]) -> None:
    """Nobody is asked offline to be as good as the champion."""
    spec["gates"] = [gate for gate in spec["gates"] if "max_regression" not in gate]


def _rewritten(settings: Any, change: Callable[[dict[str, Any]], None]) -> Any:
    """Change pipeline.yaml and return the pipeline."""
    import yaml

    from adapters.pipeline_files import load_pipeline

    file = settings.pipelines / _NAME / "pipeline.yaml"
    asked = yaml.safe_load(file.read_text())
    change(asked)
    file.write_text(yaml.safe_dump(asked))
    return load_pipeline(settings, _NAME)


@dataclass(frozen=True)
class _Stage:
    settings: Any
    pipeline: Any
    ledger: Any
    registry: Any
    old: str  # snapshot from before the shift

    def retrain(self, until: datetime | None = None, snapshot: str | None = None) -> _Submitted:
        from contracts.events import Cause, Trigger
        from flows.stages.retrain import retrain_local

        done = retrain_local(
            self.settings,
            self.pipeline,
            Trigger(Cause.OPERATOR, "measured", "benchmark"),
            snapshot=snapshot,
            until=until,
        )
        if not done.submitted:
            raise RuntimeError(f"version {done.model.version} met not all offline gates: {done.verdicts}")
        return _Submitted(done.model.version, done.snapshot, time.monotonic() - done.seconds["submit"])

    def users(self, since: datetime, until: datetime, speed: float | None = None) -> None:
        """Ask the gateway what happened in the simulated world, and send the labels."""
        from adapters.sources.simulator import simulate
        from understudy.replay import replay_frame

        rows = simulate(self.pipeline.spec.source, since, until).reset_index(drop=True)
        done = replay_frame(self.settings, self.pipeline, rows, rows_per_request=_ROWS, speed=speed)
        if done.failed:
            raise RuntimeError(f"{done.failed} of {done.requests} requests failed: {done.error}")

    def until(self, act: str, now: datetime | None = None) -> Any:
        """Tick until something is decided; return the decision."""
        from flows.stages.tick import tick

        deadline = time.monotonic() + _MOST_SECONDS
        while time.monotonic() < deadline:
            done = tick(self.settings, self.pipeline, self.registry, self.ledger, now).decision
            if done.act.value == act:
                return done
            time.sleep(_PAUSE_SECONDS)
        raise TimeoutError(f"no {act} within {_MOST_SECONDS:.0f} s; the last tick said: {done.act.value}, {done.reason}")

    def decided(self, asked: _Submitted, act: str) -> _Decided:
        """Tick until a version is decided about, and look after each tick whether the shadow has come to the end of the log."""
        from flows.stages.tick import tick

        ticks, inside, caught_up, rows, last = 0, 0.0, None, 0, None
        while time.monotonic() < asked.registered + _MOST_SECONDS:
            began = time.monotonic()
            last = tick(self.settings, self.pipeline, self.registry, self.ledger).decision
            ended = time.monotonic()
            ticks, inside = ticks + 1, inside + ended - began
            view = self.ledger.shadow(_NAME)
            if caught_up is None and view is not None and view.version == asked.version and view.rows and not view.lag_rows:
                caught_up, rows = ended - asked.registered, view.rows
            if last.act.value == act and last.version == asked.version:
                return _Decided(ended - asked.registered, caught_up, rows, ticks, inside, last.verdicts[0].samples)
            time.sleep(_PAUSE_SECONDS)
        raise TimeoutError(f"no {act} of version {asked.version} within {_MOST_SECONDS:.0f} s; the last tick said: {last and last.reason}")

    def watched(self) -> None:
        """Let the watch of the new champion pass."""
        began = self.until("watch").state.phase_since
        self.until("finish", began + self.pipeline.spec.rollout.watch)

    def worse(self) -> tuple[_Decided, int, int]:
        """Submit a refit on the old data while users ask.

        Returns:
            What it took, the rows that users had answered while it was in shadow, and those that it answered to users.
        """
        from adapters.traffic_log import TrafficLog
        from contracts.traffic import AnsweredBatch

        epoch = self.ledger.state(_NAME).epoch + 1  # of its rehearsal
        asked = replace(self, pipeline=_rewritten(self.settings, _lenient)).retrain(snapshot=self.old)
        with ThreadPoolExecutor(1) as beside:
            users = beside.submit(self.users, _NOW, _NOW + _GOING_ON, _SPEED)
            decided = self.decided(asked, "abort")
            users.result()
        logged = TrafficLog(self.settings.traffic / _NAME).read(AnsweredBatch, "answers")
        meanwhile = sum(len(batch.rows) for batch in logged if batch.epoch == epoch)
        return decided, meanwhile, sum(len(batch.rows) for batch in logged if batch.version == asked.version)
