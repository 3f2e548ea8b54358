"""Many findings are one alert: sent once, sent again where nobody took it, quiet while it is answered, closed when its reason is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts.events import Alert, Finding, Severity
from monitoring.alerts import AlertPlan, Situation, plan

NOW = datetime(2026, 2, 1, tzinfo=UTC)
HOUR, COOLDOWN = timedelta(hours=1), timedelta(days=1)


def finding(severity: Severity, monitor: str = "error_drift") -> Finding:
    return Finding(monitor, "x", severity, 0.4, 0.1, 0.01, 100, f"{monitor} says {severity.value}")


QUIET = (finding(Severity.INFO),)
WARNING = (finding(Severity.INFO), finding(Severity.WARN, "data_drift"))
RETRAIN = (finding(Severity.WARN, "data_drift"), finding(Severity.RETRAIN))


def situation(*alerts: Alert, now: datetime = NOW, champion: str = "1", candidate_since: datetime | None = None) -> Situation:
    return Situation("ads", champion, tuple(one for one in alerts if one.resolved_at is None), alerts, candidate_since, now)


def judge(findings: tuple[Finding, ...], seen: Situation) -> AlertPlan:
    return plan(findings, seen, COOLDOWN)


def opened() -> Alert:
    alert = judge(RETRAIN, situation()).alert
    assert alert is not None
    return alert


def test_several_findings_are_one_alert_that_names_the_gravest_first() -> None:
    planned = judge(RETRAIN, situation())
    assert planned.send
    assert planned.alert == Alert(
        "ads-v1-retrain-1", "ads", Severity.RETRAIN, "error_drift says retrain; data_drift says warn", NOW, RETRAIN
    )


def test_a_warning_is_kept_and_never_sent() -> None:
    planned = judge(WARNING, situation())
    assert planned.alert is not None
    assert (planned.alert.severity, planned.send) == (Severity.WARN, False)


def test_the_same_situation_keeps_the_same_alert_with_its_newest_findings() -> None:
    alert = opened()
    later = judge(RETRAIN[1:], situation(alert, now=NOW + HOUR))
    assert later.alert is not None
    assert (later.alert.id, later.alert.started_at, later.alert.findings) == (alert.id, NOW, RETRAIN[1:])
    assert later.resolve == ()


def test_what_nobody_took_is_sent_again_and_what_has_a_run_is_not() -> None:
    alert = opened()
    assert judge(RETRAIN, situation(alert, now=NOW + HOUR)).send
    taken = judge(RETRAIN, situation(replace(alert, flow_run="run-7"), now=NOW + HOUR))
    assert not taken.send
    assert taken.detail == "quiet: run run-7 was started for it"


def test_a_run_that_did_not_help_within_the_cooldown_is_followed_by_one_more_under_another_id() -> None:
    alert = replace(opened(), flow_run="run-7")
    planned = judge(RETRAIN, situation(alert, now=NOW + COOLDOWN))
    assert planned.alert is not None
    assert (planned.alert.id, planned.send, planned.resolve) == ("ads-v1-retrain-2", True, (alert,))


def test_a_younger_candidate_under_judgement_is_waited_for_and_an_older_one_is_not() -> None:
    alert = opened()
    for taken in (alert, replace(alert, flow_run="run-7")):
        waiting = judge(RETRAIN, situation(taken, now=NOW + 2 * COOLDOWN, candidate_since=NOW + HOUR))
        assert (waiting.send, waiting.alert and waiting.alert.id) == (False, alert.id)
        assert judge(RETRAIN, situation(taken, now=NOW + 2 * COOLDOWN, candidate_since=NOW - HOUR)).send


def test_an_alert_closes_when_nothing_drifts_any_more() -> None:
    alert = opened()
    assert judge(QUIET, situation(alert)) == AlertPlan(None, send=False, resolve=(alert,), detail="nothing to report")


def test_a_new_champion_closes_the_alert_and_is_left_in_peace_for_the_cooldown() -> None:
    alert = replace(opened(), flow_run="run-7")
    planned = judge(RETRAIN, situation(alert, now=NOW + HOUR, champion="2"))
    assert planned.resolve == (alert,)
    assert planned.alert is not None
    assert (planned.alert.severity, planned.send, planned.detail) == (Severity.WARN, False, "quiet until 2026-02-02 00:00: cool-down")
    closed = replace(alert, resolved_at=NOW + HOUR)
    after = judge(RETRAIN, situation(closed, planned.alert, now=NOW + COOLDOWN, champion="2"))
    assert after.alert is not None
    assert (after.alert.id, after.send, after.resolve) == ("ads-v2-retrain-1", True, (planned.alert,))


def test_a_warning_that_becomes_grave_is_another_alert() -> None:
    warning = judge(WARNING, situation()).alert
    assert warning is not None
    planned = judge(RETRAIN, situation(warning, now=NOW + HOUR))
    assert (planned.send, planned.resolve) == (True, (warning,))


def test_many_warnings_are_counted_in_the_summary() -> None:
    found = tuple(finding(Severity.WARN, f"m{number}") for number in range(6))
    alert = judge(found, situation()).alert
    assert alert is not None
    assert alert.summary == "m0 says warn; m1 says warn; m2 says warn; and 3 more warnings"
