"""How loud a finding is: the spec says so for each monitor; what did not fire stays `info`."""

from __future__ import annotations

from dataclasses import replace

from contracts.events import Finding, Severity
from contracts.spec import Severities

_OF_INPUTS = {"data_drift", "missing", "unseen", "multivariate_drift", "outliers", "prediction_drift"}


def graded(findings: tuple[Finding, ...], rules: Severities, *, same_season: bool = True) -> tuple[Finding, ...]:
    """Return the findings with the severity that the rules give to what fired.

    Args:
        same_season: whether inputs and predictions were held against rows of the same season; where not, they never ask for a retrain.
    """
    return tuple(one if one.severity is Severity.INFO else replace(one, severity=_of(one.monitor, rules, same_season)) for one in findings)


def _of(monitor: str, rules: Severities, same_season: bool) -> Severity:
    severity = Severity(getattr(rules, monitor))
    held_down = severity is Severity.RETRAIN and monitor in _OF_INPUTS and not same_season
    return Severity.WARN if held_down else severity
