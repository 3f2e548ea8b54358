"""The simulated world is the same for the same hours, and its concept shifts on the day it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from adapters.sources.simulator import click_chance, simulate
from contracts.spec import SimulatorSource

SOURCE = SimulatorSource(kind="simulator", start="2026-01-01", rows_per_hour=50, shift_at="2026-01-03")
START = datetime(2026, 1, 1, tzinfo=UTC)


def test_any_cut_of_time_gives_the_same_rows_once() -> None:
    cut = START + timedelta(hours=7, minutes=13)
    whole = simulate(SOURCE, None, START + timedelta(days=1))
    parts = pd.concat([simulate(SOURCE, None, cut), simulate(SOURCE, cut, START + timedelta(days=1))], ignore_index=True)
    pd.testing.assert_frame_equal(whole, parts)
    assert len(whole) == 24 * 50
    assert whole["impression"].is_unique
    assert whole["event_time"].is_monotonic_increasing


def test_another_seed_gives_another_world_and_an_empty_range_its_columns() -> None:
    other = SOURCE.model_copy(update={"seed": 8})
    until = START + timedelta(hours=2)
    assert not simulate(SOURCE, None, until)["price"].equals(simulate(other, None, until)["price"])
    assert "clicked" in simulate(SOURCE, until, until)


def test_the_concept_shifts_on_its_day_and_not_before() -> None:
    def effect(frame: pd.DataFrame) -> float:
        rate = frame.groupby("device")["clicked"].mean()
        return float(rate["phone"] - rate["desktop"])

    assert effect(simulate(SOURCE, None, START + timedelta(days=2))) > 0.15
    assert effect(simulate(SOURCE, START + timedelta(days=2), START + timedelta(days=4))) < -0.15


def test_clicks_follow_the_stated_chance() -> None:
    frame = simulate(SOURCE.model_copy(update={"shift_at": None, "rows_per_hour": 1000}), None, START + timedelta(days=2))
    chance = click_chance(frame, shifted=False)
    error = np.sqrt((chance * (1 - chance)).mean() / len(frame))
    assert abs(frame["clicked"].mean() - chance.mean()) < 4 * error
