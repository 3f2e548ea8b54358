"""Alarms on real data: what is counted each week is what the rules say, and the picture has every alarm."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.drift.raw_alarms import Week, weekly
from benchmarks.drift.real import by_error_alone, world_of
from benchmarks.drift.time_line import draw
from contracts.columns import EVENT_TIME
from contracts.rollout import Act
from contracts.spec import Features, Monitors

_START = datetime(2026, 1, 29, tzinfo=UTC)
_SPEC: Any = SimpleNamespace(
    columns=SimpleNamespace(features=Features(numeric=["x"], categorical=["c"])),
    train=SimpleNamespace(window=timedelta(days=28)),
    monitors=Monitors(),
)


def test_each_rule_alarms_in_the_weeks_that_moved() -> None:
    random = np.random.default_rng(5)
    at = pd.Series(pd.date_range("2026-01-01", periods=24 * 42 * 4, freq="15min", tz="UTC").astype("datetime64[us, UTC]"))
    rows = pd.DataFrame({EVENT_TIME: at, "x": random.normal(size=len(at)), "c": random.choice(["a", "b"], len(at))})
    rows.loc[at > pd.Timestamp(_START + timedelta(days=7)), "x"] += 2
    found = weekly(_SPEC, rows, [_START, _START + timedelta(days=7), _START + timedelta(days=14)], _START)
    assert [(one.psi, one.ks, one.warned) for one in found] == [(False, False, False), (True, True, True)]


def test_the_time_line_has_every_alarm_with_its_cause_and_every_count(tmp_path: Path) -> None:
    at = [_START + timedelta(days=7 * number) for number in range(4)]
    points = [SimpleNamespace(at=one, loss=1.0, rows=5) for one in at]
    never: Any = SimpleNamespace(loss=1.0, over_time=points, refits=[], decided=[])
    refits = [
        SimpleNamespace(at=at[0], cause="operator", reason="the first model"),
        SimpleNamespace(at=at[1], cause="drift", reason="absolute_error rose to 3 where 2 was expected"),
        SimpleNamespace(at=at[2], cause="drift", reason="the champion has answered for 50 d; it may for 45d"),
    ]
    drift: Any = SimpleNamespace(loss=0.5, over_time=points, refits=refits, decided=[SimpleNamespace(at=at[2], act=Act.PROMOTE)])
    weeks = [Week(at[1], True, True, False), Week(at[2], True, False, False)]
    draw("world", "absolute_error", never, drift, weeks, tmp_path / "line.svg")
    drawn = (tmp_path / "line.svg").read_text()
    for words in ("1 error", "2 age", "PSI &gt; 0.25: 2", "KS, Bonferroni: 1", "our warnings of inputs: 0", "retrain: 2"):
        assert words in drawn


@pytest.mark.parametrize(("name", "rows"), [("bike_demand", 17_379), ("bank_calls", 41_188)])
def test_the_real_worlds_are_whole_and_may_be_watched_by_the_error_alone(
    name: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.environ.get("UNDERSTUDY_REAL_DATA")
    if not data:
        pytest.skip("UNDERSTUDY_REAL_DATA is unset")
    monkeypatch.setenv("UNDERSTUDY_BIKE_DATA", "")  # put back afterwards
    monkeypatch.setenv("UNDERSTUDY_BANK_DATA", "")
    world, history = world_of(name, Path(data), tmp_path)
    assert len(history) == rows
    assert history[EVENT_TIME].is_monotonic_increasing
    assert "duration" not in world.spec.columns.features.all
    assert world.spec.monitors.max_age is not None
    assert by_error_alone(world, history).spec.monitors.max_age is None
