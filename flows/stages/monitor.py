"""The monitor's stage: what the newest traffic shows becomes one alert, sent once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from adapters import webhook_client
from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.errors import UnderstudyError
from contracts.events import Alert, Finding
from contracts.rollout import ModelRef, RolloutState
from flows.stages.clock import pipeline_now
from flows.stages.look import look, read
from flows.stages.monitor_report import slot, write_monitor_report
from monitoring.alerts import AlertPlan, Situation, plan


@dataclass(frozen=True, slots=True)
class MonitorResult:
    """What one monitor run saw and did.

    Attributes:
        alert: the alert that stands now, or None.
        notified: whether the webhook receiver took the alert in this run.
        flow_run: the retrain's run that stands for the alert, or None.
        detail: one sentence.
        champion: whose traffic was looked at; None where there is none.
        report_at: where its version keeps the report of this run.
    """

    findings: tuple[Finding, ...]
    alert: Alert | None
    notified: bool
    flow_run: str | None
    detail: str
    champion: str | None = None
    report_at: str = ""


def monitor(settings: Settings, pipeline: Pipeline, ledger: Ledger, run_id: str, report: Path | None = None) -> MonitorResult:
    """Look at the newest traffic, keep what was found, and send an alert where a retrain is due.

    A receiver that is down, or refuses, raises nothing: the alert stays open and is sent again at the next run.

    Args:
        run_id: under which the findings are kept.
        report: a folder where findings.json, pictures and a page are written; none where it is None.

    Raises:
        OutsideError: the champion's data or package could not be fetched; nothing was kept.
    """
    spec = pipeline.spec
    state = ledger.state(spec.name)
    if state.champion is None:
        return MonitorResult((), None, notified=False, flow_run=None, detail="there is no champion yet")
    now = pipeline_now(settings, spec)
    seen = read(settings, spec, state.champion, now)
    findings = look(settings, spec, ledger, state.champion, state.champion_since, seen)
    planned = plan(findings, _situation(ledger, spec.name, state, state.champion, now), spec.monitors.cooldown)
    _keep(ledger, planned, now)
    ledger.add_findings(spec.name, findings, run_id, now)
    alert, sent, detail = planned.alert, False, planned.detail
    if alert is not None and planned.send:
        alert, said = _send(settings, ledger, alert)
        sent, detail = alert.flow_run is not None, f"{detail}; {said}"
    if report is not None:
        about = {"pipeline": spec.name, "champion": state.champion.version, "since": seen.since, "until": now, "said": detail}
        write_monitor_report(report, about, findings, spec.columns.features, (seen.trained, seen.asked))
    run = alert.flow_run if alert is not None else None
    return MonitorResult(findings, alert, sent, run, detail, state.champion.version, slot(now))


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
