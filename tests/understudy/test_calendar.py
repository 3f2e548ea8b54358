"""What comes next, and why: the next of each schedule in its own zone, and whatever waits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.prefect_api import FlowRun, Planned
from contracts.spec import PipelineSpec
from tests.webhook.conftest import write_pipeline
from understudy.calendar import by_cron, line, planned
from understudy.main import main

NOW = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)  # a Saturday; the clocks of Berlin go forward that night


def spec(folder: Path, **schedule: Any) -> PipelineSpec:
    write_pipeline(folder, "demand")
    content = yaml.safe_load((folder / "demand" / "pipeline.yaml").read_text())
    return PipelineSpec.model_validate(content | {"schedule": schedule, "clock": schedule.pop("clock", "wall")})


def test_without_a_server_each_cron_line_says_its_next_time_in_its_own_zone(tmp_path: Path) -> None:
    found = by_cron(spec(tmp_path, retrain="0 3 * * 1", monitor=None, timezone="Europe/Berlin"), NOW)
    assert [(one.flow, one.at.isoformat(), one.source) for one in found] == [
        ("rollout", "2026-03-28T13:05:00+01:00", "schedule"),
        ("retrain", "2026-03-30T03:00:00+02:00", "schedule"),
    ]
    assert line(found[1]) == "  next retrain  Mon 2026-03-30 03:00 CEST: schedule 0 3 * * 1 (Europe/Berlin)"


def test_where_time_is_what_the_data_says_nothing_starts_by_the_clock(tmp_path: Path) -> None:
    assert by_cron(spec(tmp_path, retrain="0 3 * * 1", clock="event"), NOW) == []


def test_of_what_the_server_has_the_next_of_each_flow_and_all_that_wait_are_told(tmp_path: Path) -> None:
    def run(minutes: int, flow: str, *, by_schedule: bool = True, state: str = "Scheduled", reason: str = "scheduled") -> Planned:
        tags = ("understudy", "demand", flow)
        at = NOW + timedelta(minutes=minutes)
        return Planned(FlowRun("r", ""), "d", at, by_schedule, state, tags, {"reason": reason})

    runs = [
        run(-3, "retrain", by_schedule=False, state="AwaitingConcurrencySlot", reason="new prices"),
        run(-1, "rollout", state="Late"),
        run(4, "rollout"),
        run(9, "rollout"),
        run(60, "retrain"),
    ]
    assert [(one.flow, one.why) for one in planned(runs, spec(tmp_path, retrain="0 3 * * 1"), NOW)] == [
        ("retrain", "new prices; due, AwaitingConcurrencySlot"),
        ("rollout", "schedule */5 * * * * (UTC); due, Late"),
        ("rollout", "schedule */5 * * * * (UTC)"),
        ("retrain", "schedule 0 3 * * 1 (UTC)"),
    ]


def test_status_says_what_comes_next_though_no_server_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    write_pipeline(tmp_path / "pipelines", "demand")
    place = ["--home", str(tmp_path / "home"), "--pipelines", str(tmp_path / "pipelines")]
    main([*place, "--json", "status", "demand"])
    found = json.loads(capsys.readouterr().out)["next"]
    assert [one["flow"] for one in found] == ["rollout", "monitor"]
    assert all(datetime.fromisoformat(one["at"]) > datetime.now(UTC) for one in found)
    main([*place, "status"])
    assert "next rollout" in capsys.readouterr().out


def test_a_zone_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no time zone 'Europe/Atlantis'"):
        spec(tmp_path, timezone="Europe/Atlantis")
