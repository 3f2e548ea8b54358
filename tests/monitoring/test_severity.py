"""Severity by the rules of the spec: what fired is as loud as they say, and inputs never ask for a retrain against another season."""

from __future__ import annotations

import pytest

from contracts.events import Finding, Severity
from contracts.spec import Severities
from monitoring.severity import graded

MONITORS = tuple(Severities.model_fields)


def fired(monitor: str, severity: Severity = Severity.WARN) -> Finding:
    return Finding(monitor, "x", severity, 1.0, 0.5, None, 10, "why")


def loud(monitor: str, rules: Severities, *, same_season: bool = True) -> Severity:
    (found,) = graded((fired(monitor),), rules, same_season=same_season)
    return found.severity


def test_by_default_only_the_error_and_the_age_ask_for_a_retrain_and_no_input_ever_does() -> None:
    assert {monitor for monitor in MONITORS if loud(monitor, Severities()) is Severity.RETRAIN} == {"error_drift", "max_age"}


def test_what_did_not_fire_stays_as_it_is_whatever_the_rules_say() -> None:
    rules = Severities.model_validate(dict.fromkeys(MONITORS, "retrain"))
    assert {one.severity for one in graded(tuple(fired(name, Severity.INFO) for name in MONITORS), rules)} == {Severity.INFO}


@pytest.mark.parametrize("said", ["info", "warn", "retrain"])
def test_each_monitor_is_as_loud_as_its_rule(said: str) -> None:
    rules = Severities.model_validate(dict.fromkeys(MONITORS, said))
    assert {loud(name, rules).value for name in MONITORS} == {said}


def test_inputs_held_against_another_season_are_a_warning_even_where_the_rule_says_retrain() -> None:
    rules = Severities.model_validate(dict.fromkeys(MONITORS, "retrain"))
    quieter = {name for name in MONITORS if loud(name, rules, same_season=False) is Severity.WARN}
    assert quieter == {"data_drift", "missing", "unseen", "multivariate_drift", "outliers", "prediction_drift"}
