"""Of the runs that a schedule missed one is done, or none, as the pipeline asks; what somebody asked for is always done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun as ServerRun
from prefect.context import FlowRunContext

from adapters.prefect_api import FlowRun, Planned
from adapters.settings import read_settings
from flows.missed import TAG, Rule, stands_for_missed, superfluous
from tests.prefect_server import ask_prefect

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def due(minutes: float, *, by_schedule: bool = True) -> Planned:
    at = NOW - timedelta(minutes=minutes)
    return Planned(FlowRun(f"{minutes:g}", ""), "d", at, by_schedule, "Late", ("understudy",), {})


@pytest.mark.parametrize(
    ("rule", "minutes", "dropped"),
    [
        ("one", range(20), 19),
        ("none", range(20), 17),  # three are no later than any run may be
        ("one", [3], 0),
        ("none", [3], 1),
        ("none", [0.5], 0),
        ("one", [], 0),
        ("one", [-5, -10, 7], 0),  # those to come are nobody's business
    ],
)
def test_of_many_that_were_missed_the_rule_keeps_the_newest_or_none(rule: Rule, minutes: list[float], dropped: int) -> None:
    gone = superfluous([due(one) for one in minutes], rule, NOW)
    assert len(gone) == dropped
    assert "0" not in {one.run.id for one in gone}


def test_what_somebody_asked_for_is_never_dropped() -> None:
    asked = [due(30, by_schedule=False), due(40, by_schedule=False)]
    for rule in ("one", "none"):
        assert not {"30", "40"} & {one.run.id for one in superfluous([*asked, due(10), due(20)], rule, NOW)}  # type: ignore[arg-type]


@pytest.fixture
def hourly(prefect_server: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Make a deployment whose schedule has come due five times while nothing was up; yield it and those runs, the newest last."""
    flow = ask_prefect("POST", f"{prefect_server}/flows/", {"name": "retrain"}).json()["id"]
    cron = {"schedule": {"cron": "0 * * * *"}, "active": True}
    made = {"name": f"missed-{time.time_ns()}", "flow_id": flow, "tags": [TAG], "schedules": [cron], "paused": False}
    deployment = ask_prefect("POST", f"{prefect_server}/deployments/", made).json()["id"]
    now = datetime.now(UTC)
    times = {"start_time": f"{now - timedelta(hours=5)}", "end_time": f"{now}", "min_runs": 5, "max_runs": 5}
    ask_prefect("POST", f"{prefect_server}/deployments/{deployment}/schedule", times).raise_for_status()
    wanted = {"deployments": {"id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_ASC"}
    runs = ask_prefect("POST", f"{prefect_server}/flow_runs/filter", wanted).json()
    due = [one for one in runs if datetime.fromisoformat(one["expected_start_time"]) <= now]
    assert len(due) == 5
    yield prefect_server, due
    ask_prefect("DELETE", f"{prefect_server}/deployments/{deployment}")


def stands(url: str, run: dict[str, Any], rule: Rule, tmp_path: Path) -> Any:
    """Ask as the flow does, inside a run."""
    settings = replace(read_settings(tmp_path, tmp_path), prefect_api_url=url, prefect_auth=None)
    with FlowRunContext.model_construct(flow_run=ServerRun.model_validate(run)):
        return stands_for_missed(settings, rule)


def states(url: str, runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Give each run's type of state and its name: one that waits is renamed "Late" by the server, at a moment of the server's choosing."""
    found = [ask_prefect("GET", f"{url}/flow_runs/{one['id']}").json()["state"] for one in runs]
    return [(one["type"], "waits" if one["name"] in {"Scheduled", "Late"} else one["name"]) for one in found]


WAITS, MISSED = ("SCHEDULED", "waits"), ("CANCELLED", "Missed")


def test_a_run_that_comes_late_stands_for_all_that_its_schedule_missed(hourly: tuple[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    url, due = hourly
    assert stands(url, due[0], "one", tmp_path) is None, "it goes on"
    assert states(url, due[1:]) == [MISSED] * 4
    assert states(url, due[:1]) == [WAITS]
    told = ask_prefect("GET", f"{url}/flow_runs/{due[1]['id']}").json()["state"]["message"]
    assert told == f"Run {due[0]['name']} does it for all that were missed."


def test_where_nothing_is_to_be_caught_up_a_late_run_ends_itself_and_leaves_the_others_alone(
    hourly: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    url, due = hourly
    ended = stands(url, due[0], "none", tmp_path)
    assert (ended.type.value, ended.name) == ("CANCELLED", "Missed")
    assert states(url, due) == [WAITS] * 5


def test_a_run_in_time_and_one_that_somebody_asked_for_drop_nothing(hourly: tuple[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    url, due = hourly
    for change in ({"expected_start_time": f"{datetime.now(UTC)}"}, {"auto_scheduled": False}):
        for rule in ("one", "none"):
            assert stands(url, due[-1] | change, rule, tmp_path) is None  # type: ignore[arg-type]  # a literal
    assert states(url, due) == [WAITS] * 5
