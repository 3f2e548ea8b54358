"""The flow `retrain`: fresh data, checked; a fit, judged; a version, registered; a wish to become champion. One task a stage."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from prefect import flow, get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from contracts.duration import format_duration
from contracts.errors import BatchRefused, UsageError
from contracts.events import Cause, Trigger
from contracts.verdict import Outcome
from flows import artifacts, notices
from flows.missed import stands_for_missed
from flows.patience import step
from flows.wiring import open_world

if TYPE_CHECKING:
    from adapters.registry import Registered
    from contracts.rollout import ModelRef
    from contracts.verdict import Verdict
    from flows.stages.fit import FitResult
    from training.compare import Evaluation

NOT_MET = "GatesNotMet"  # the name of a completed run's state where the answer was no
DRY = "DryRun"  # the same where the answer was yes, and nothing was to be kept
Snapshot = Annotated[str, Field(pattern=r"^s[0-9a-f]{12}$")]


def titled(title: str, **limits: Any) -> Any:
    """Return a field of the form; Prefect would put the parameter's name over it."""
    return Field(json_schema_extra={"title": title}, **limits)


@flow(name="retrain", flow_run_name="retrain {pipeline}, {cause}")
def retrain(  # the form in the UI has one field for each
    pipeline: Annotated[str, titled("Pipeline")],
    reason: Annotated[str, titled("Why", min_length=3, max_length=500)] = "started by hand",
    cause: Annotated[Cause, titled("Cause")] = Cause.OPERATOR,
    actor: Annotated[str, titled("Who", min_length=1, max_length=128)] = "Prefect UI",
    snapshot: Annotated[Snapshot | None, titled("Snapshot")] = None,
    until: Annotated[datetime | None, titled("Rows until")] = None,
    window: Annotated[str, titled("Training window", pattern=r"^(all|[0-9]+[smhdw])?$")] = "",
    force: Annotated[bool, titled("Fit again")] = False,
    dry_run: Annotated[bool, titled("Dry run")] = False,
    alert_id: Annotated[Annotated[str, Field(max_length=200)] | None, titled("Alert")] = None,
) -> Any:
    """Refit a model with its pinned hyperparameters and ask that it become champion.

    Args:
        pipeline: a folder under pipelines/.
        reason: why, in a sentence; it is kept with the version and in the ledger.
        cause: what started this: an operator, a schedule, drift or new data.
        actor: who asks.
        snapshot: fit on this snapshot (such as s0123456789ab, see `understudy snapshots`); empty: pull fresh rows first.
        until: only rows whose label was known by then; empty: all there are.
        window: fit on so much history, such as 90d, 12w or all; empty: the spec's `train.window`. It is kept in the lineage.
        force: fit even where nothing changed since a version was registered.
        dry_run: everything up to the offline gates; nothing is registered and nothing asks to become champion.
        alert_id: the alert that this answers; the webhook fills it in.
    """
    from flows.stages.gate import all_passed
    from flows.stages.step_clock import StepClock
    from flows.stages.work import work_folder

    world = open_world(pipeline, window)
    if missed := stands_for_missed(world.settings, world.pipeline.spec.schedule.catch_up):
        return missed
    log, clock = get_run_logger(), StepClock()
    trigger = Trigger(cause, reason, actor, alert_id)
    log.info("Started by %s (%s): %s", actor, cause.value, reason)
    with clock.told(log.info), work_folder(world.settings, pipeline, str(flow_run.id)) as work:
        with clock.step("ingest"):
            data, new_rows = pull(pipeline, snapshot, until)
        known = None
        if not (new_rows or force or dry_run):
            with clock.step("look up"):
                known = look_up(pipeline, data, window)
        if known is not None:
            with clock.step("submit"):
                submit(pipeline, *known, trigger)
            return Completed(message=f"Nothing was fitted: no new row came, and version {known[0].version} has the same lineage.")
        with clock.step("fit"):
            fitted = fit_in_time(pipeline, data, work, world.pipeline.spec.train.timeout, window)
        with clock.step("evaluate"):
            evaluation = evaluate(pipeline, fitted, work, window)
        with clock.step("gate"):
            verdicts = gate(pipeline, evaluation, work)
        if dry_run:
            name = DRY if all_passed(verdicts) else NOT_MET
            return Completed(name=name, message=f"A dry run: {_tally(verdicts)}. Nothing was registered and nothing submitted.")
        with clock.step("register"):
            version = register(pipeline, fitted, evaluation, verdicts, trigger, work, window)
        with clock.step("submit"):
            submitted = submit(pipeline, version.model, verdicts, trigger)
    if submitted:
        return Completed(message=f"Version {version.model.version} asks to become champion.")
    return Completed(name=NOT_MET, message=f"Version {version.model.version} did not meet its offline gates and is not submitted.")


def _tally(verdicts: tuple[Verdict, ...]) -> str:
    missed = [one.reason for one in verdicts if one.outcome is not Outcome.PASS]
    return f"all {len(verdicts)} offline gates were met" if not missed else "not met: " + "; ".join(missed)


@step("ingest")
def pull(pipeline: str, snapshot: str | None, until: datetime | None) -> tuple[str, int]:
    """New rows become a checked snapshot, or are refused; or a named snapshot is looked up."""
    from adapters.data_repo import DataRepo
    from flows.stages.ingest import ingest

    world = open_world(pipeline)
    if snapshot is not None:
        return DataRepo(world.settings).get(pipeline, snapshot).id, 0
    try:
        found = ingest(world.settings, world.pipeline, until)
    except BatchRefused as refused:
        notices.tell(pipeline, "data-refused", f"{pipeline}: a batch of data was refused", str(refused))
        artifacts.verdicts(pipeline, "checks", refused.verdicts, refused.message)
        artifacts.docs(pipeline, refused.checks, Path(refused.docs) if refused.docs else None)
        raise
    said = f"{found.said}; snapshot {found.snapshot.id}, {found.snapshot.rows} rows in all"
    get_run_logger().info(said)
    artifacts.verdicts(pipeline, "checks", found.verdicts, said)
    artifacts.docs(pipeline, found.checks, found.docs)
    return found.snapshot.id, found.new_rows


@step("look up")
def look_up(pipeline: str, data: str, window: str = "") -> tuple[ModelRef, tuple[Verdict, ...]] | None:
    """Find the version that a fit on this snapshot would give again."""
    from adapters.data_repo import DataRepo
    from flows.stages.retrain import known_version

    world = open_world(pipeline, window)
    found = known_version(world.settings, world.pipeline, DataRepo(world.settings).get(pipeline, data))
    return None if found is None else (found[0].model, found[1])


@step("fit")
def fit(pipeline: str, data: str, work: Path, window: str = "") -> FitResult:
    """A snapshot's rows become a package."""
    from flows.stages.fit import fit_stage

    world = open_world(pipeline, window)
    done = fit_stage(world.settings, world.pipeline, data, work)
    get_run_logger().info("Fitted %d rows up to %s; %d are held out", done.fitted_rows, done.cutoff.isoformat(), done.held_out_rows)
    if done.choice:
        get_run_logger().info("Of %d windows: %s", len(done.tried), done.choice)
    return done


def fit_in_time(pipeline: str, data: str, work: Path, limit: timedelta, window: str = "") -> FitResult:
    """Fit, or say plainly that it took too long.

    Raises:
        UsageError: it took longer than the pipeline allows.
    """
    try:
        return fit.with_options(timeout_seconds=limit.total_seconds())(pipeline, data, work, window)
    except TimeoutError as late:
        said = format_duration(limit)
        raise UsageError(
            f"The fit of '{pipeline}' took longer than {said} and was stopped.", "Raise train.timeout in pipeline.yaml, or fit fewer rows."
        ) from late


@step("evaluate")
def evaluate(pipeline: str, fitted: FitResult, work: Path, window: str = "") -> Evaluation:
    """Candidate and champion answer the same held-out rows."""
    from flows.stages.evaluate import evaluate_stage

    world = open_world(pipeline, window)
    return evaluate_stage(world.settings, world.pipeline, fitted, world.ledger.state(pipeline).champion, work)


@step("gate")
def gate(pipeline: str, evaluation: Evaluation, work: Path) -> tuple[Verdict, ...]:
    """The offline gates are judged."""
    from contracts.verdict import Outcome
    from flows.stages.gate import all_passed, gate_stage

    verdicts = gate_stage(open_world(pipeline).pipeline, evaluation, work)
    for one in verdicts:
        get_run_logger().info("%s: %s", one.outcome.name, one.reason)
    if not all_passed(verdicts):
        failed = "\n".join(one.reason for one in verdicts if one.outcome is not Outcome.PASS)
        notices.tell(pipeline, "gate-failed", f"{pipeline}: a candidate did not meet its offline gates", failed)
    artifacts.verdicts(pipeline, "gates", verdicts, "Offline gates: candidate against champion on the same held-out rows")
    return verdicts


@step("register")
def register(  # what a version is made of
    pipeline: str, fitted: FitResult, evaluation: Evaluation, verdicts: tuple[Verdict, ...], trigger: Trigger, work: Path, window: str = ""
) -> Registered:
    """The model becomes a version, with its report and lineage."""
    from flows.stages.register import register_stage

    world = open_world(pipeline, window)
    version = register_stage(world.settings, world.pipeline, fitted, evaluation, verdicts, trigger, work)
    if world.settings.mlflow_uri.startswith("http"):
        url = f"{world.settings.mlflow_uri}/#/models/{pipeline}/versions/{version.model.version}"
        artifacts.link(pipeline, "version", url, f"Version {version.model.version} in MLflow")
        if page := world.registry.docs_page(version):
            said = f"Data Docs of version {version.model.version} in MLflow"
            artifacts.link(pipeline, "data-docs-copy", f"{world.settings.mlflow_uri}/{page}", said)
    return version


@step("submit")
def submit(pipeline: str, model: ModelRef, verdicts: tuple[Verdict, ...], trigger: Trigger) -> bool:
    """A version that met its gates asks to become champion."""
    from flows.stages.submit import submit_stage

    return submit_stage(open_world(pipeline).settings, pipeline, model, verdicts, trigger) is not None
