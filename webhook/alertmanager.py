"""Alertmanager's webhook, version 4: its alerts labelled `pipeline` become wishes for a retrain."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from contracts.events import Cause, Severity, Trigger
from webhook.asked import MACHINE_CAUSES, REASON_CHARACTERS, Asked, printable, read_model

_NOT_SEVERE = {Severity.INFO.value, Severity.WARN.value}


class _Alert(BaseModel):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: Annotated[AwareDatetime, Field(alias="startsAt")]
    fingerprint: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,64}$")]

    @property
    def id(self) -> str:
        """One firing of one alert: the same alert that fires again later is another."""
        return f"{self.fingerprint}@{self.starts_at.astimezone(UTC).isoformat()}"


class _Notification(BaseModel):
    version: Literal["4"]
    alerts: Annotated[list[_Alert], Field(min_length=1)]


def read_notification(content: bytes) -> list[Asked]:
    """Return what a notification asks for: at most one retrain for a pipeline and cause, and a word on every other alert.

    Of several that fire for one pipeline and cause the one that began first counts: several findings are one reason to retrain.

    Raises:
        BadNotification: it is not version 4 of Alertmanager's format.
    """
    alerts = sorted(read_model(_Notification, content).alerts, key=lambda alert: (alert.starts_at, alert.fingerprint))
    taken: set[tuple[str, Cause]] = set()
    return [_asked(alert, taken) for alert in alerts]


def _asked(alert: _Alert, taken: set[tuple[str, Cause]]) -> Asked:
    pipeline = alert.labels.get("pipeline", "")
    cause = next((one for one in MACHINE_CAUSES if one == alert.labels.get("cause")), Cause.DRIFT)
    declined = _why_not(alert, (pipeline, cause) in taken)
    if declined is None:
        taken.add((pipeline, cause))
    return Asked(pipeline, Trigger(cause, _reason(alert), "alertmanager", alert.id), declined)


def _why_not(alert: _Alert, is_taken: bool) -> str | None:
    if "pipeline" not in alert.labels:
        return "the alert has no label 'pipeline'"
    if alert.status == "resolved":
        return "resolved: nothing to start, and a run that it started goes on"
    if alert.labels.get("severity") in _NOT_SEVERE:
        return f"severity '{alert.labels['severity']}' asks for no retrain"
    return "another alert of this notification asks for the same" if is_taken else None


def _reason(alert: _Alert) -> str:
    words = alert.annotations.get("summary") or alert.annotations.get("description") or "no summary was given"
    return printable(f"{alert.labels.get('alertname', 'alert')}: {words}", REASON_CHARACTERS)
