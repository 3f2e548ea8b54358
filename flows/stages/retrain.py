"""The retrain, stage by stage, in this process; the Prefect flow runs the same functions."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.data_repo import DataRepo
from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline
from adapters.registry import Registered, Registry
from adapters.settings import Settings
from contracts.events import Trigger
from contracts.rollout import ModelRef
from contracts.snapshot import Snapshot
from contracts.verdict import Outcome, Verdict
from flows.stages.evaluate import evaluate_stage
from flows.stages.fit import FitResult, fit_stage
from flows.stages.gate import gate_stage
from flows.stages.ingest import ingest
from flows.stages.register import lineage_of, register_stage
from flows.stages.step_clock import StepClock
from flows.stages.submit import submit_stage
from flows.stages.work import read_json, work_folder
from training.compare import Evaluation

# name → function, in order; dvc.yaml and the Prefect flow have the same
STAGES: dict[str, Callable[..., Any]] = {
    "ingest": ingest,
    "fit": fit_stage,
    "evaluate": evaluate_stage,
    "gate": gate_stage,
    "register": register_stage,
    "submit": submit_stage,
}


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """What a retrain did.

    Attributes:
        new_rows: rows that came with this run.
        model: the version, registered now or before.
        submitted: whether it asks to become champion, now or since before.
        skipped: why nothing was fitted, or None.
        seconds: by step. overhead: seconds beyond fitting and evaluating.
    """

    pipeline: str
    snapshot: str
    new_rows: int
    model: ModelRef
    verdicts: tuple[Verdict, ...]
    submitted: bool
    skipped: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    overhead: float = 0.0


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a retrain would have been judged by: the fields of RetrainResult that need no version."""

    pipeline: str
    snapshot: str
    new_rows: int
    verdicts: tuple[Verdict, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    overhead: float = 0.0


def retrain_local(
    settings: Settings,
    pipeline: Pipeline,
    trigger: Trigger,
    *,
    snapshot: str | None = None,
    until: datetime | None = None,
    force: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> RetrainResult:
    """Run every stage in order, in this process; killed anywhere and run again, nothing is there twice.

    Args:
        settings: where everything is.
        pipeline: which pipeline.
        trigger: why, and who asks.
        snapshot: fit on this one; new rows are read when None.
        until: only rows whose label is known by then.
        force: fit even where the same lineage is registered already.
        tell: takes one sentence for each step.

    Raises:
        UnderstudyError: what a stage raises; a gate that is not met is in the result.
    """
    with work_folder(settings, pipeline.spec.name, uuid.uuid4().hex[:12]) as work:
        run = _Run(settings, pipeline, trigger, work, StepClock(), tell)
        data, new_rows = run.data(snapshot, until)
        known = None if new_rows or force else run.known(data)
        result = run.fitted(data, new_rows) if known is None else run.taken_up(data, *known)
        tell(run.clock.report())
        return replace(result, seconds=run.clock.seconds, overhead=run.clock.overhead)


def dry_run_local(
    settings: Settings,
    pipeline: Pipeline,
    trigger: Trigger,
    *,
    snapshot: str | None = None,
    until: datetime | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> DryRun:
    """Run the stages up to the offline gates, in this process: new rows become a snapshot; nothing is registered and nothing submitted.

    Args:
        settings, pipeline, trigger, snapshot, until, tell: as for `retrain_local`.

    Raises:
        UnderstudyError: what a stage raises; a gate that is not met is in the result.
    """
    with work_folder(settings, pipeline.spec.name, uuid.uuid4().hex[:12]) as work:
        run = _Run(settings, pipeline, trigger, work, StepClock(), tell)
        data, new_rows = run.data(snapshot, until)
        _, _, verdicts = run.judged(data)
        tell(run.clock.report())
        return DryRun(pipeline.spec.name, data.id, new_rows, verdicts, run.clock.seconds, run.clock.overhead)


def champion_of(settings: Settings, pipeline: str) -> ModelRef | None:
    """Return who answers users, as the ledger has it."""
    ledger = Ledger(settings.ledger_url)
    try:
        return ledger.state(pipeline).champion
    finally:
        ledger.close()


def known_version(settings: Settings, pipeline: Pipeline, snapshot: Snapshot) -> tuple[Registered, tuple[Verdict, ...]] | None:
    """Return the version that a fit on this snapshot would give again, with its verdicts; None where there is none yet."""
    registry = Registry(settings)
    found = registry.find(pipeline.spec.name, lineage_of(pipeline, snapshot))
    if found is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return found, read_json(registry.fetch_report(found, "gate.json", Path(folder)), tuple[Verdict, ...])


@dataclass(frozen=True, slots=True)
class _Run:
    settings: Settings
    pipeline: Pipeline
    trigger: Trigger
    work: Path
    clock: StepClock
    tell: Callable[[str], None]

    def data(self, snapshot: str | None, until: datetime | None) -> tuple[Snapshot, int]:
        with self.clock.step("ingest"):
            if snapshot is not None:
                return DataRepo(self.settings).get(self.pipeline.spec.name, snapshot), 0
            found = ingest(self.settings, self.pipeline, until)
        aside = f", {found.quarantined} set aside" if found.quarantined else ""
        self.tell(f"Snapshot {found.snapshot.id}: {found.new_rows} new rows{aside}, {found.snapshot.rows} in all.")
        return found.snapshot, found.new_rows

    def known(self, data: Snapshot) -> tuple[Registered, tuple[Verdict, ...]] | None:
        with self.clock.step("look up"):
            return known_version(self.settings, self.pipeline, data)

    def taken_up(self, data: Snapshot, known: Registered, verdicts: tuple[Verdict, ...]) -> RetrainResult:
        """Fit nothing; a version whose retrain was killed before it was submitted is submitted now."""
        why = (
            f"Nothing was fitted: no new row came, and version {known.model.version} has the same snapshot, spec, code and environment "
            f"({'its gates were met' if known.passed else 'its gates were not met'})."
        )
        self.tell(why)
        with self.clock.step("submit"):
            submitted = submit_stage(self.settings, self.pipeline.spec.name, known.model, verdicts, self.trigger)
        return RetrainResult(self.pipeline.spec.name, data.id, 0, known.model, verdicts, submitted is not None, why)

    def judged(self, data: Snapshot) -> tuple[FitResult, Evaluation, tuple[Verdict, ...]]:
        settings, pipeline, clock, work = self.settings, self.pipeline, self.clock, self.work
        champion = champion_of(settings, pipeline.spec.name)
        with clock.step("fit"):
            fitted = fit_stage(settings, pipeline, data.id, work)
        chosen = f"; {fitted.choice}" if fitted.choice else ""
        self.tell(f"Fitted {fitted.fitted_rows} rows up to {fitted.cutoff.isoformat()}; {fitted.held_out_rows} are held out{chosen}.")
        with clock.step("evaluate"):
            evaluation = evaluate_stage(settings, pipeline, fitted, champion, work)
        with clock.step("gate"):
            verdicts = gate_stage(pipeline, evaluation, work)
        for one in verdicts:
            self.tell(f"{'met' if one.outcome is Outcome.PASS else 'NOT met'}: {one.reason}.")
        return fitted, evaluation, verdicts

    def fitted(self, data: Snapshot, new_rows: int) -> RetrainResult:
        fitted, evaluation, verdicts = self.judged(data)
        settings, pipeline, clock, work = self.settings, self.pipeline, self.clock, self.work
        with clock.step("register"):
            version = register_stage(settings, pipeline, fitted, evaluation, verdicts, self.trigger, work)
        with clock.step("submit"):
            submitted = submit_stage(settings, pipeline.spec.name, version.model, verdicts, self.trigger)
        asks = "it asks to become champion" if submitted else "a gate was not met, so it is not submitted"
        self.tell(f"Version {version.model.version} of '{pipeline.spec.name}' is registered; {asks}.")
        return RetrainResult(pipeline.spec.name, data.id, new_rows, version.model, verdicts, submitted is not None)
