"""What happens: triggers, alerts, operator's intents, feedback."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Cause(StrEnum):
    """Why a retrain was started."""

    SCHEDULE = "schedule"
    DRIFT = "drift"
    NEW_DATA = "new_data"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What started a run, who, and in what words."""

    cause: Cause
    reason: str
    actor: str
    alert_id: str | None = None


class Severity(StrEnum):
    """How loud a finding is."""

    INFO = "info"
    WARN = "warn"
    RETRAIN = "retrain"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a monitor saw.

    Attributes:
        monitor: which monitor, e.g. `data_drift`, `prediction_drift`, `error_drift`, `max_age`.
        subject: the column or metric it is about.
        observed, limit: effect size and what it was held against.
        p_value: after correction for many tests; None where the monitor has none.
    """

    monitor: str
    subject: str
    severity: Severity
    observed: float | None
    limit: float | None
    p_value: float | None
    samples: int
    reason: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Several findings made one: what goes over HTTP to the webhook receiver.

    Attributes:
        started_at, resolved_at: on the pipeline's clock.
        flow_run: the run that the webhook receiver started for it; None while nobody took it.
    """

    id: str
    pipeline: str
    severity: Severity
    summary: str
    started_at: datetime
    findings: tuple[Finding, ...] = field(default=())
    resolved_at: datetime | None = None
    flow_run: str | None = None


class IntentKind(StrEnum):
    """What an operator may ask for."""

    APPROVE = "approve"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Intent:
    """An operator's wish, with who and why; consumed by exactly one decision.

    Attributes:
        version: followed only while this version is the candidate; whichever it is when None.
    """

    id: int
    kind: IntentKind
    actor: str
    reason: str
    at: datetime
    version: str | None = None
