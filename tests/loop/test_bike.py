"""The same loop on a slice of the real bike-sharing data: seven weeks of 2012, with scheduled retrains."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.settings import read_settings
from understudy.demo.play import BIKE_DATA, play
from understudy.demo.script import BIKE_DEMAND

pytestmark = [pytest.mark.loop, pytest.mark.timeout(900)]
PIPELINES = Path(__file__).parents[2] / "pipelines"


def test_seven_weeks_of_real_demand_are_served_better_than_by_the_model_fitted_once(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BIKE_DATA, "set by the demonstration; restored afterwards")
    settings = read_settings(tmp_path / "home", PIPELINES)
    script = replace(BIKE_DEMAND, until=BIKE_DEMAND.history_until + 7 * BIKE_DEMAND.step)
    page = play(settings, real_data / "bike_sharing" / "hour.csv", keep=False, script=script)
    report = json.loads(page.with_suffix(".json").read_text())
    acts = [one["act"] for one in reversed(report["decisions"])]
    assert acts[0] == "bootstrap"
    assert {"start", "promote", "watch", "abort", "rollback"} <= set(acts)
    assert report["failed_requests"] == 0
    assert report["rows"] == 1172  # of 7 × 168 hours, those in which somebody rented
    assert report["served_error"] < report["fitted_once_error"]
    assert not settings.services_file.exists()
    assert report["findings"]
    assert "What the monitor saw" in page.read_text()
