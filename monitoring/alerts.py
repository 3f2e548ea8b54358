"""Many findings become one alert, sent once, quiet while it is being answered, closed when its reason is gone.

The id of an alert is made of pipeline, champion, severity and a number that rises when the same champion is alerted about again, so the
same situation gives the same id, however often it is seen or sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts.events import Alert, Finding, Severity


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when findings are judged; times are on the pipeline's clock.

    Attributes:
        champion: its version.
        open: alerts that are open. ever: all there ever were, the open ones too; both oldest first.
        candidate_since: since when a candidate is under judgement; None where none is.
    """

    pipeline: str
    champion: str
    open: tuple[Alert, ...]
    ever: tuple[Alert, ...]
    candidate_since: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class AlertPlan:
    """What to do: which alert stands (new, or with its newest findings), whether to send it, which ones to close, and why."""

    alert: Alert | None
    send: bool
    resolve: tuple[Alert, ...]
    detail: str


def plan(findings: tuple[Finding, ...], situation: Situation, cooldown: timedelta) -> AlertPlan:
    """Judge what one monitor run found."""
    loud = tuple(one for one in findings if one.severity is not Severity.INFO)
    if not loud:
        return AlertPlan(None, send=False, resolve=situation.open, detail="nothing to report")
    if not any(one.severity is Severity.RETRAIN for one in loud):
        return _stand(loud, Severity.WARN, situation, send=False, detail="a warning; it refits nothing")
    return _retrain(loud, situation, cooldown)


def _retrain(loud: tuple[Finding, ...], situation: Situation, cooldown: timedelta) -> AlertPlan:
    standing = _standing(situation, Severity.RETRAIN)
    earlier = [one for one in situation.ever if one.severity is Severity.RETRAIN]
    if standing is None and earlier and situation.now < earlier[-1].started_at + cooldown:
        until = earlier[-1].started_at + cooldown
        return _stand(loud, Severity.WARN, situation, send=False, detail=f"quiet until {until:%Y-%m-%d %H:%M}: cool-down")
    if standing is None:
        return _stand(loud, Severity.RETRAIN, situation, send=True, detail="a retrain is asked for")
    if situation.candidate_since is not None and situation.candidate_since >= standing.started_at:
        return _stand(loud, Severity.RETRAIN, situation, send=False, detail="quiet: a younger candidate is under judgement")
    if standing.flow_run is None:
        return _stand(loud, Severity.RETRAIN, situation, send=True, detail="a retrain is asked for again: nobody took the alert yet")
    if situation.now < standing.started_at + cooldown:
        return _stand(loud, Severity.RETRAIN, situation, send=False, detail=f"quiet: run {standing.flow_run} was started for it")
    fresh = _opened(loud, Severity.RETRAIN, situation)
    return AlertPlan(fresh, send=True, resolve=situation.open, detail=f"run {standing.flow_run} did not help: a retrain is asked for again")


def _stand(loud: tuple[Finding, ...], severity: Severity, situation: Situation, *, send: bool, detail: str) -> AlertPlan:
    """Keep the alert of this severity and champion, or open it; close all others."""
    standing = _standing(situation, severity)
    alert = replace(standing, findings=loud, summary=_summary(loud)) if standing else _opened(loud, severity, situation)
    return AlertPlan(alert, send, tuple(one for one in situation.open if one.id != alert.id), detail)


def _standing(situation: Situation, severity: Severity) -> Alert | None:
    prefix = _prefix(situation, severity)
    return next((one for one in reversed(situation.open) if one.id.startswith(prefix)), None)


def _opened(loud: tuple[Finding, ...], severity: Severity, situation: Situation) -> Alert:
    prefix = _prefix(situation, severity)
    number = 1 + sum(one.id.startswith(prefix) for one in situation.ever)
    return Alert(f"{prefix}{number}", situation.pipeline, severity, _summary(loud), situation.now, loud)


def _prefix(situation: Situation, severity: Severity) -> str:
    return f"{situation.pipeline}-v{situation.champion}-{severity.value}-"


def _summary(loud: tuple[Finding, ...]) -> str:
    """The gravest first; warnings beyond the third are counted."""
    graves = [one.reason for one in loud if one.severity is Severity.RETRAIN]
    warnings = [one.reason for one in loud if one.severity is Severity.WARN]
    more = f"; and {len(warnings) - 3} more warnings" if len(warnings) > 3 else ""
    return "; ".join([*graves, *warnings[:3]]) + more
