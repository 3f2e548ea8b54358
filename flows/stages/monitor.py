"""The monitor's stage: the newest traffic is held against what the champion was trained on; what matters becomes one alert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adapters import traffic_frames, webhook_client
from adapters.data_repo import DataRepo
from adapters.ledger import Ledger
from adapters.model_cache import cached_package
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.traffic_log import TrafficLog
from contracts.columns import EVENT_TIME
from contracts.errors import UnderstudyError
from contracts.events import Alert, Finding
from contracts.package import MANIFEST, Manifest
from contracts.rollout import ModelRef, RolloutState
from contracts.spec import PipelineSpec
from flows.stages.clock import pipeline_now
from flows.stages.held_out import held_out_answers
from monitoring.age import champion_age
from monitoring.alerts import AlertPlan, Situation, plan
from monitoring.data_drift import categories, data_drift, unseen_categories
from monitoring.error_drift import block_means, error_drift, expectation
from monitoring.prediction_drift import prediction_drift
from monitoring.reference import same_season, thinned
from monitoring.traffic import label_coverage, traffic_volume
from stats.losses import losses
from stats.truth import coded

_ROW = ["request_id", "row"]  # what identifies an answered row


@dataclass(frozen=True, slots=True)
class MonitorResult:
    """What one monitor run saw and did.

    Attributes:
        alert: the alert that stands now, or None.
        notified: whether the webhook receiver took the alert in this run.
        flow_run: the retrain's run that stands for the alert, or None.
        detail: one sentence.
    """

    findings: tuple[Finding, ...]
    alert: Alert | None
    notified: bool
    flow_run: str | None
    detail: str


def monitor(settings: Settings, pipeline: Pipeline, ledger: Ledger, run_id: str) -> MonitorResult:
    """Look at the newest traffic, keep what was found, and send an alert where a retrain is due.

    A receiver that is down, or refuses, raises nothing: the alert stays open and is sent again at the next run.

    Args:
        run_id: under which the findings are kept.

    Raises:
        OutsideError: the champion's data or package could not be fetched; nothing was kept.
    """
    spec = pipeline.spec
    state = ledger.state(spec.name)
    if state.champion is None:
        return MonitorResult((), None, notified=False, flow_run=None, detail="there is no champion yet")
    now = pipeline_now(settings, spec)
    findings = look(settings, spec, state.champion, state.champion_since, now)
    planned = plan(findings, _situation(ledger, spec.name, state, state.champion, now), spec.monitors.cooldown)
    _keep(ledger, planned, now)
    ledger.add_findings(spec.name, findings, run_id, now)
    if planned.alert is None or not planned.send:
        return MonitorResult(findings, planned.alert, False, planned.alert.flow_run if planned.alert else None, planned.detail)
    alert, said = _send(settings, ledger, planned.alert)
    return MonitorResult(findings, alert, alert.flow_run is not None, alert.flow_run, f"{planned.detail}; {said}")


def look(settings: Settings, spec: PipelineSpec, champion: ModelRef, in_office: datetime | None, now: datetime) -> tuple[Finding, ...]:
    """Return what every monitor says about the newest window.

    Args:
        in_office: since when the champion answers users.
        now: the window ends there; both on the pipeline's clock.
    """
    since = now - spec.monitors.window
    log = TrafficLog(settings.traffic / spec.name)
    on_wall = spec.clock == "wall"  # then nothing happened after it was written, and segments can be left out
    asked = _between(traffic_frames.features(log, since if on_wall else None, since), since, now)
    answered = _champions_answers(log, champion, now, min(since, champion.cutoff) if on_wall else None)
    recent = _between(answered, since, now)
    trained = _training_rows(settings, spec, champion)
    held_out = held_out_answers(settings, spec, champion)
    return (
        *_errors(settings, spec, champion, held_out, answered, now),
        *champion_age(in_office, now, spec.monitors.max_age),
        *_predictions(spec, held_out, recent),
        *_inputs(spec, trained, asked),
        *traffic_volume(asked[EVENT_TIME], trained[EVENT_TIME]),
        *label_coverage(recent, now - spec.columns.label_delay),
    )


def _between(rows: pd.DataFrame, since: datetime, now: datetime) -> pd.DataFrame:
    return rows[(rows[EVENT_TIME] > since) & (rows[EVENT_TIME] <= now)]


def _champions_answers(log: TrafficLog, champion: ModelRef, now: datetime, written_since: datetime | None) -> pd.DataFrame:
    """Return what the champion answered after its cutoff, beside the labels that are known by now."""
    answered = _between(traffic_frames.answers(log, written_since), champion.cutoff, now)
    mine = answered[answered["version"] == champion.version]
    labelled = mine.merge(traffic_frames.feedback(log, written_since), on=_ROW, how="left")
    labelled["label"] = labelled["label"].where(labelled["observed_at"] <= now)  # on an event clock later ones are in the log already
    return labelled


def _training_rows(settings: Settings, spec: PipelineSpec, champion: ModelRef) -> pd.DataFrame:
    """Return the reference: the features of the rows that the champion was fitted on, and of its held-out rows."""
    repo, window = DataRepo(settings), spec.train.window
    since = champion.cutoff - window if isinstance(window, timedelta) else None
    return repo.frame(repo.get(spec.name, champion.snapshot), [*spec.columns.features.all, EVENT_TIME], since)


def _inputs(spec: PipelineSpec, trained: pd.DataFrame, asked: pd.DataFrame) -> tuple[Finding, ...]:
    features, limits = spec.columns.features, spec.monitors
    season = trained if asked.empty else trained[same_season(trained[EVENT_TIME], asked[EVENT_TIME], limits.min_rows)]
    unseen = unseen_categories(categories(trained, features.categorical), asked)
    return (*data_drift(thinned(season), thinned(asked), features, limits), *unseen)


def _predictions(spec: PipelineSpec, held_out: pd.DataFrame, answered: pd.DataFrame) -> tuple[Finding, ...]:
    if not (held_out.empty or answered.empty):
        held_out = held_out[same_season(held_out[EVENT_TIME], answered[EVENT_TIME], spec.monitors.min_rows)]
    return prediction_drift(_numbers(held_out["prediction"]), _numbers(answered["prediction"]), spec.monitors)


def _errors(
    settings: Settings, spec: PipelineSpec, champion: ModelRef, held_out: pd.DataFrame, answered: pd.DataFrame, now: datetime
) -> tuple[Finding, ...]:
    manifest = Manifest.model_validate_json((cached_package(settings, champion) / MANIFEST).read_bytes())
    return error_findings(spec, manifest.classes, held_out, answered, now)


def error_findings(
    spec: PipelineSpec, classes: Sequence[object], held_out: pd.DataFrame, answered: pd.DataFrame, now: datetime
) -> tuple[Finding, ...]:
    """Return what the error monitor says of the champion.

    Args:
        classes: that the champion knows, in the order of its probabilities; empty for regression.
        held_out, answered: event_time, label (missing where there is none) and prediction of its held-out and of its live rows.
    """
    limits, loss = spec.monitors, spec.rollout.shadows[0].loss

    def per_row(rows: pd.DataFrame) -> tuple[pd.Series, NDArray[np.float64]]:
        truth = coded(rows["label"], classes)
        known = np.isfinite(truth)
        return rows[EVENT_TIME][known], losses(loss, truth[known], _numbers(rows["prediction"][known]))

    expected = expectation(block_means(*per_row(held_out), limits.error_block), limits)
    return error_drift(expected, *per_row(answered), loss, now - spec.columns.label_delay, limits)


def _numbers(predictions: pd.Series) -> NDArray[np.float64]:
    return np.array(predictions.tolist(), dtype=np.float64)


def _situation(ledger: Ledger, pipeline: str, state: RolloutState, champion: ModelRef, now: datetime) -> Situation:
    since = state.phase_since if state.candidate is not None else None
    return Situation(pipeline, champion.version, ledger.alerts(pipeline), ledger.alerts(pipeline, only_open=False), since, now)


def _keep(ledger: Ledger, planned: AlertPlan, now: datetime) -> None:
    """The standing alert first: killed in between, the next run closes the others."""
    if planned.alert is not None:
        ledger.open_alert(planned.alert)
    for alert in planned.resolve:
        ledger.open_alert(replace(alert, resolved_at=now))
        ledger.resolve_alert(alert.id, now)


def _send(settings: Settings, ledger: Ledger, alert: Alert) -> tuple[Alert, str]:
    """Send an alert and keep which run stands for it; a failure leaves it as it was."""
    if settings.webhook_url is None:
        return alert, "no webhook receiver is up: the alert stays open and is sent at the next run"
    try:
        delivery = webhook_client.send_alert(settings.webhook_url, settings.webhook_secret, alert)
    except UnderstudyError as error:
        return alert, f"{error}"
    if delivery.flow_run is None:
        return alert, f"the receiver started nothing: {delivery.detail}"
    taken = replace(alert, flow_run=delivery.flow_run)
    ledger.open_alert(taken)
    return taken, f"run {delivery.flow_run} stands for it"
