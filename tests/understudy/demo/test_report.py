"""The report shows what the story holds, and needs nothing from outside."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.confidence import ConfidenceSteps
from contracts.events import Finding, Severity
from contracts.rollout import Act, DecisionRecord, Phase
from contracts.verdict import Outcome, Verdict
from understudy.demo.report import errors_over_time, promotions, write_report
from understudy.demo.story import Story

AT = datetime(2012, 1, 5, tzinfo=UTC)


@pytest.fixture
def story() -> Story:
    told = Story("bike_demand")
    told.tell("something <b>happened</b>", "in detail", AT)
    times = pd.date_range("2012-01-01", periods=48, freq="1h", tz="UTC")
    told.served.append(pd.DataFrame({"event_time": times, "served": np.repeat([1.0, 3.0], 24), "once": np.repeat([2.0, 8.0], 24)}))
    told.decisions = [
        DecisionRecord(1, "bike_demand", 1, AT, AT, Act.PROMOTE, "better by far", "understudy", "2", 3, Phase.PROMOTING),
        DecisionRecord(2, "bike_demand", 2, AT, AT, Act.ABORT, "worse", "understudy", "3", 4, Phase.ABORTING),
    ]
    told.gates["version 2"] = (Verdict("mae", Outcome.PASS, 31.2, 120.0, 336, "mae 31.2 is within 120"),)
    told.paths.append(ConfidenceSteps("2", 0.0, [1, 2, 3], [1.0, 1.2, 1.1], [-1.0, 0.1, 0.4], [3.0, 2.3, 1.8]))
    told.findings.append(
        {"monitor": "error_drift", "subject": "mae", "severity": "retrain", "observed": 0.4, "limit": 0.1, "reason": "the error rose"}
    )
    told.numbers |= {"served_error": 2.0, "fitted_once_error": 5.0, "ratio": 0.4, "requests": 2, "failed_requests": 0, "rollback_ms": 21.0}
    return told


def test_the_error_is_averaged_over_equal_steps_of_time(story: Story) -> None:
    errors = errors_over_time(story, "1D")
    assert errors["served"].tolist() == [1.0, 3.0]
    assert errors["once"].tolist() == [2.0, 8.0]


def test_only_decisions_that_change_who_answers_are_drawn_as_promotions(story: Story) -> None:
    assert [version for _, version in promotions(story)] == ["2"]


def test_the_page_holds_every_picture_number_and_reason_and_loads_nothing(story: Story, tmp_path: Path) -> None:
    page = write_report(story, tmp_path, measure="mean absolute error", every="1D").read_text()
    assert page.count("<svg") == 3
    for text in ("better by far", "mae 31.2 is within 120", "the error rose", "21 ms", "0.40"):
        assert text in page
    assert "something &lt;b&gt;happened&lt;/b&gt;" in page
    assert not re.search(r"<(script|link|img|iframe)\b", page)


def saw(column: str, severity: Severity) -> Finding:
    return Finding("data_drift", column, severity, 0.2, 0.1, 0.01, 100, f"{column} moved")


def test_what_the_newest_look_saw_is_shown_until_an_alarm_came_whose_findings_stay() -> None:
    story = Story("bike_demand")
    shown = []
    for column, alarm in (("hum", False), ("temp", False), ("hour", True), ("season", False), ("month", True)):
        story.keep_findings([saw(column, Severity.RETRAIN if alarm else Severity.INFO)], alarm=alarm)
        shown.append(story.findings[0]["subject"])
    assert shown == ["hum", "temp", "hour", "hour", "month"]


def test_the_machine_report_has_the_promised_keys(story: Story, tmp_path: Path) -> None:
    write_report(story, tmp_path, measure="mean absolute error", every="1D")
    machine = json.loads((tmp_path / "report.json").read_text())
    assert {"timeline", "decisions", "errors", "served_error", "fitted_once_error", "rollback_ms", "failed_requests"} <= set(machine)
    assert machine["errors"][1] == {"at": "2012-01-02 00:00:00+00:00", "served": 3.0, "once": 8.0}
