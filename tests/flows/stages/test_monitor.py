"""The monitor on a simulated world and on real data: it sees the shift within two days, asks once, loses nothing, and is quiet else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters.sources.simulator import simulate
from contracts.columns import EVENT_TIME
from contracts.events import Severity
from contracts.rollout import GatewayView, Phase, Route
from contracts.spec import SimulatorSource
from tests.flows.stages.monitor_world import World, make_world, open_world
from tests.http_recorder import Recorder, answering
from tests.servers import free_port

START, SHIFT = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 29, tzinfo=UTC)
FIRST = SHIFT - timedelta(days=4)  # of the live traffic
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ADS: dict[str, Any] = {
    "name": "ads",
    "task": "binary",
    "clock": "event",
    "source": {"kind": "simulator"},
    "columns": {
        "time": "at",
        "key": ["impression"],
        "target": "clicked",
        "label_delay": "1h",
        "features": {"numeric": ["hour", "weekday", "price", "relevance", "age", "visits"], "categorical": ["device", "slot", "topic"]},
    },
    "train": {"holdout": "12h", "estimator": "sklearn.ensemble.HistGradientBoostingClassifier"},
    "gates": [{"metric": "log_loss", "max": 1}],
    "rollout": {"stages": [{"kind": "shadow", "loss": "log_loss"}]},
    "monitors": {"window": "4d", "error_block": "15m", "max_age": "30d"},
}
PARAMS = {"seed": 1, "estimator": {"max_iter": 40, "max_depth": 4}}


def ads(first: datetime, last: datetime, shift: bool = True) -> pd.DataFrame:
    source = SimulatorSource(kind="simulator", start="2026-01-01", rows_per_hour=60, shift_at=f"{SHIFT:%Y-%m-%d}" if shift else None)
    return simulate(source, first, last)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place where a champion was fitted on 24 days and installed; each test works on a copy."""
    place = tmp_path_factory.mktemp("ads")
    made = make_world(place, ADS, PARAMS)
    made.install(made.train(ads(START, FIRST), "1"), FIRST)
    made.ledger.close()
    return place


@pytest.fixture
def receiver() -> Iterator[Recorder]:
    with answering((202, {"flow_run": "run-a", "reason": "taken"})) as server:
        yield server


@pytest.fixture
def world(tmp_path: Path, trained: Path, receiver: Recorder) -> Iterator[World]:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    made = open_world(tmp_path, "ads", receiver.url)
    yield made
    made.ledger.close()


def shifted(world: World, hours: int = 48) -> None:
    world.serve(ads(FIRST, SHIFT + hours * HOUR))


def test_a_concept_that_shifts_is_seen_within_two_days_and_asked_for_once(world: World, receiver: Recorder) -> None:
    world.serve(ads(FIRST, SHIFT))
    before = world.look()
    assert (before.alert, before.detail) == (None, "nothing to report")
    delay = None
    for hour in range(6, 49, 6):
        world.serve(ads(SHIFT + (hour - 6) * HOUR, SHIFT + hour * HOUR))
        seen = world.look()
        if seen.notified and delay is None:
            delay = hour
            assert seen.flow_run == "run-a"
    assert delay is not None
    assert len(receiver.calls) == 1, "the same situation is sent once"
    (alert,) = world.ledger.alerts("ads")
    assert (alert.id, alert.severity, alert.flow_run) == ("ads-v1-retrain-1", Severity.RETRAIN, "run-a")
    assert "log_loss rose" in alert.summary
    grave = [one for one in world.ledger.findings("ads") if one.severity is Severity.RETRAIN]
    assert [one.monitor for one in grave] == ["error_drift"]
    inputs = [one for one in world.ledger.findings("ads") if one.monitor == "data_drift"]
    assert {one.severity for one in inputs} == {Severity.INFO}, "the inputs' distribution did not move"
    assert len(inputs) == 9


def test_a_world_that_stays_as_it_was_gives_no_retrain_over_ten_days(world: World, receiver: Recorder) -> None:
    old = datetime.now(UTC) - timedelta(hours=1)
    world.ledger.report_gateway("ads", GatewayView("long gone", 1, "1", old, 900_000_000, 0.9))
    for day in range(0, 10, 2):
        world.serve(ads(FIRST + day * DAY, FIRST + (day + 2) * DAY, shift=False))
        world.ledger.report_gateway("ads", GatewayView("g1", 1, "1", datetime.now(UTC), 300_000_000, 0.25))
        found = world.look().findings
        assert not [one for one in found if one.severity is Severity.RETRAIN], day
    assert receiver.calls == []
    told = {(one.monitor, one.subject): one.reason for one in found}
    assert told["labels", "coverage"].startswith("100.0% of")
    assert told["labels", "delay"] == "half of the labels came within 1.0 h; columns.label_delay says 1.0 h"
    assert told["service", "memory_mb"] == "gateway g1 has 300 MB in memory"
    assert told["service", "processors"] == "gateway g1 keeps 0.25 processors busy"
    watched = {"multivariate_drift", "outliers", "freshness", "service", "traffic", "error_drift", "prediction_drift"}
    assert watched <= {one.monitor for one in found}
    assert {one.severity for one in found if one.monitor in watched} == {Severity.INFO}, [one.reason for one in found]
    assert told["traffic", "rows"] == "5760 rows; at the same hours of the week 5760 are in the training data"


def test_a_receiver_that_is_down_loses_nothing(world: World, receiver: Recorder) -> None:
    shifted(world)
    world.settings = replace(world.settings, webhook_url=f"http://127.0.0.1:{free_port()}")
    down = world.look()
    assert not down.notified
    assert down.alert is not None
    assert "did not take alert ads-v1-retrain-1" in down.detail
    world.settings = replace(world.settings, webhook_url=None)
    assert "no webhook receiver is up" in world.look().detail
    world.settings = replace(world.settings, webhook_url=receiver.url)
    sent = world.look()
    assert (sent.notified, sent.flow_run, sent.alert and sent.alert.id) == (True, "run-a", down.alert.id)
    again = world.look()
    assert (again.notified, again.flow_run, again.detail) == (False, "run-a", "quiet: run run-a was started for it")


def test_a_candidate_under_judgement_is_waited_for_and_a_new_champion_closes_the_alert(world: World, receiver: Recorder) -> None:
    shifted(world)
    world.look()
    now, old = SHIFT + 2 * DAY, world.champion
    candidate = world.train(ads(SHIFT, now), "2")
    world.save(now, phase=Phase.RUNNING, candidate=candidate, phase_since=now, route=Route(2, old, candidate))
    assert world.look().detail == "quiet: a younger candidate is under judgement"
    world.save(now, phase=Phase.WATCHING, candidate=None, previous=old, champion_since=now, route=Route(3, candidate, old))
    world.serve(ads(now, now + 3 * HOUR))
    after = world.look()
    assert not [one for one in after.findings if one.severity is Severity.RETRAIN], after.findings
    assert world.ledger.alerts("ads") == ()
    (closed,) = world.ledger.alerts("ads", only_open=False)
    assert closed.resolved_at is not None
    assert len(receiver.calls) == 1


def test_a_champion_that_is_too_old_asks_for_a_retrain(world: World, receiver: Recorder) -> None:
    world.save(FIRST, champion_since=FIRST - 40 * DAY)
    world.serve(ads(FIRST, FIRST + HOUR, shift=False))
    seen = world.look()
    assert seen.notified
    assert seen.alert is not None
    assert seen.alert.summary == "the champion has answered for 40.0 d; it may for 30d"


def test_traffic_without_labels_and_no_traffic_at_all_are_told_and_judged_by_nobody(world: World) -> None:
    assert {one.severity for one in world.look().findings} == {Severity.INFO}
    world.serve(ads(FIRST, FIRST + DAY), labels=False)
    found = {one.monitor: one for one in world.look().findings if one.monitor != "data_drift"}
    assert found["error_drift"].reason == "0 rows are labelled; 100 are needed"
    assert found["labels"].observed == 1.0


def test_without_a_champion_nothing_is_judged(tmp_path: Path) -> None:
    world = make_world(tmp_path, ADS, PARAMS)
    assert world.look().detail == "there is no champion yet"
    world.ledger.close()


BIKE: dict[str, Any] = {
    "name": "bike",
    "task": "regression",
    "clock": "event",
    "source": {"kind": "file", "path": "hour.csv"},
    "columns": {
        "time": "at",
        "target": "cnt",
        "label_delay": "1h",
        "features": {
            "numeric": ["hr", "temp", "atemp", "hum", "windspeed"],
            "categorical": ["season", "mnth", "holiday", "weekday", "workingday", "weathersit"],
        },
    },
    "train": {"window": "180d", "holdout": "14d", "estimator": "sklearn.ensemble.HistGradientBoostingRegressor"},
    "gates": [{"metric": "mae", "max": 1000}],
    "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
    "monitors": {"window": "14d", "error_block": "1d", "cooldown": "28d"},
}


def bike_rows(real_data: Path) -> pd.DataFrame:
    frame = pd.read_csv(real_data / "bike_sharing" / "hour.csv")
    times = pd.to_datetime(frame["dteday"], utc=True) + pd.to_timedelta(frame["hr"], unit="h")
    return frame.assign(**{EVENT_TIME: times.astype("datetime64[us, UTC]")}).drop(columns=["dteday", "casual", "registered"])


def alarms(world: World, rows: pd.DataFrame, days: int) -> list[datetime]:
    """When a retrain was asked for, looking every so many days."""
    asked = []
    for at in pd.date_range(rows[EVENT_TIME].min().floor("D") + days * DAY, rows[EVENT_TIME].max(), freq=f"{days}D"):
        here = rows[(rows[EVENT_TIME] > at - days * DAY) & (rows[EVENT_TIME] <= at)]
        world.serve(here)
        if world.look().notified:
            asked.append(at.to_pydatetime())
    return asked


@pytest.mark.slow
def test_over_2012_a_champion_fitted_once_on_2011_asks_for_a_retrain(real_data: Path, tmp_path: Path, receiver: Recorder) -> None:
    rows = bike_rows(real_data)
    year = pd.Timestamp("2012-01-01", tz="UTC")
    world = make_world(tmp_path, BIKE, {"seed": 0, "estimator": {"max_iter": 200}}, receiver.url)
    world.install(world.train(rows[rows[EVENT_TIME] < year], "1"), year.to_pydatetime())
    asked = alarms(world, rows[rows[EVENT_TIME] >= year], 28)
    assert asked
    assert asked[0] < datetime(2012, 7, 1, tzinfo=UTC)
    world.ledger.close()
