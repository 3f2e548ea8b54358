"""A pipeline with a real snapshot, a real champion in the ledger, and traffic in its log, for tests of the monitor's stage."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from adapters.data_repo import DataRepo
from adapters.ledger import Ledger
from adapters.package_store import folder_digest, load_package, write_package
from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.settings import Settings, read_settings
from adapters.traffic_log import TrafficLog, epoch_us
from contracts.columns import EVENT_TIME
from contracts.events import Cause, Trigger
from contracts.rollout import Decision, Evidence, ModelRef
from contracts.traffic import AnsweredBatch, FeedbackBatch
from flows.stages.monitor import MonitorResult, monitor
from rollout.reconcile import reconcile
from training.fit import fit

ROWS_PER_REQUEST = 20


@dataclass
class World:
    """One pipeline's whole state under a folder."""

    settings: Settings
    pipeline: Pipeline
    ledger: Ledger
    runs: int = 0

    @property
    def champion(self) -> ModelRef:
        found = self.ledger.state(self.pipeline.spec.name).champion
        assert found is not None
        return found

    def train(self, history: pd.DataFrame, version: str) -> ModelRef:
        """Make a snapshot of the rows, fit on it, and write the package."""
        spec = self.pipeline.spec
        snapshot = DataRepo(self.settings).add(spec.name, history, history.iloc[:0], spec.columns.key)
        made = fit(history, spec, self.pipeline.params, None)
        folder = write_package(self.settings.home / "packages" / version, made.files)
        return ModelRef(version, folder_digest(folder), folder.as_uri(), snapshot.id, made.cutoff)

    def install(self, model: ModelRef, now: datetime) -> None:
        """Make a model the first champion, by the ledger's own way."""
        name = self.pipeline.spec.name
        self.ledger.submit(name, model, (), Trigger(Cause.OPERATOR, "first", "tests"))
        state, waiting = self.ledger.state(name), self.ledger.submissions(name)
        decision = reconcile(self.pipeline.spec.rollout, state, Evidence(state.epoch, submissions=waiting), now)
        assert decision.state.champion == model
        self.ledger.save(decision, now)

    def save(self, now: datetime, **changes: Any) -> None:
        """Change the rollout's state as a decision would."""
        state = self.ledger.state(self.pipeline.spec.name)
        saved = replace(state, revision=state.revision + 1, **changes)
        decision = reconcile(self.pipeline.spec.rollout, saved, Evidence(saved.epoch), now)
        self.ledger.save(Decision(decision.act, saved, "as the test wants it"), now)

    def serve(self, rows: pd.DataFrame, *, labels: bool = True) -> None:
        """Log the champion's answers to rows, and their labels."""
        spec, version = self.pipeline.spec, self.champion.version
        log = TrafficLog(self.settings.traffic / spec.name)
        answers = load_package(self.settings.home / "packages" / version, self.champion.digest).predict(rows).tolist()
        delay = round(spec.columns.label_delay.total_seconds() * 1e6)
        for start in range(0, len(rows), ROWS_PER_REQUEST):
            part, said = rows.iloc[start : start + ROWS_PER_REQUEST], answers[start : start + ROWS_PER_REQUEST]
            times, numbers, nothing = [epoch_us(one) for one in part[EVENT_TIME]], list(range(len(part))), [None] * len(part)
            ids = [f"r{times[0]}"] * len(part)
            asked = {name: part[name].tolist() for name in spec.columns.features.all}
            log.append(
                AnsweredBatch(spec.name, version, 1, "champion", 1.0, times[-1], 500, ids, numbers, times, list(nothing), asked, said)
            )
            if labels:
                truth = part[spec.columns.target].tolist()
                log.append(FeedbackBatch(spec.name, times[-1], ids, numbers, truth, list(nothing), [time + delay for time in times]))

    def look(self) -> MonitorResult:
        """Run the monitor once."""
        self.runs += 1
        return monitor(self.settings, self.pipeline, self.ledger, f"run-{self.runs}")


def make_world(place: Path, spec: dict[str, Any], params: dict[str, Any], webhook_url: str | None = None) -> World:
    """Write a pipeline's files below a folder and open its ledger."""
    folder = place / "pipelines" / spec["name"]
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(json.dumps(spec))
    (folder / "params.yaml").write_text(json.dumps(params))
    return open_world(place, spec["name"], webhook_url)


def open_world(place: Path, name: str, webhook_url: str | None = None) -> World:
    """Open what stands in a folder."""
    settings = replace(read_settings(place / "home", place / "pipelines"), webhook_url=webhook_url, webhook_secret="not-a-secret-in-a-test")
    return World(settings, load_pipeline(settings, name), Ledger(settings.ledger_url))
