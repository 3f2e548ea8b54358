"""Rewards: a fall beyond the margin is seen, luck and the hour of the day are not called a fall, and no rewards are no finding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.events import Finding, Severity
from contracts.spec import Monitors
from monitoring.rewards import reward_drop

NOW = datetime(2026, 2, 2, tzinfo=UTC)
DAY = timedelta(days=1)
LIMITS = Monitors()


def clicks(seed: int, first: datetime, days: int, rate: float, per_hour: int = 60, season: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    times = pd.Series(pd.date_range(first, periods=days * 24 * per_hour, freq=pd.Timedelta(hours=1) / per_hour, unit="us"))
    share = rate * (1 + season * np.sin(times.dt.hour / 24 * 2 * np.pi))
    return pd.DataFrame({"event_time": times, "reward": (random.random(len(times)) < share).astype("float64")})


def judged(seed: int, rate: float, season: float = 0.0) -> Finding:
    before, window = clicks(seed, NOW - 21 * DAY, 14, 0.2, season=season), clicks(seed + 500, NOW - 7 * DAY, 7, rate, season=season)
    (found,) = reward_drop(window, before, LIMITS)
    return found


def test_a_fall_of_a_third_is_seen_and_told_with_its_bounds() -> None:
    found = judged(1, 0.133)
    assert found.severity is Severity.WARN
    assert found.observed == pytest.approx(-0.33, abs=0.05)
    assert found.reason.startswith("mean reward fell to 0.13")


def test_rewards_that_stayed_give_no_word_in_a_hundred_windows_with_a_daily_season() -> None:
    found = [judged(seed, 0.2, season=0.8) for seed in range(100)]
    assert {one.severity for one in found} == {Severity.INFO}
    assert {judged(seed, 0.195).severity for seed in range(20)} == {Severity.INFO}, "a fall within the margin"


def test_more_is_no_fall_and_a_window_of_nights_is_held_against_nights() -> None:
    assert judged(2, 0.3).severity is Severity.INFO
    before, window = (clicks(3, NOW - 21 * DAY, 14, 0.2, season=0.9), clicks(4, NOW - 7 * DAY, 7, 0.2, season=0.9))
    (found,) = reward_drop(window[window["event_time"].dt.hour >= 16], before, LIMITS)
    assert found.severity is Severity.INFO, found.reason


def test_where_no_rewards_come_nothing_is_said_and_few_are_judged_by_nobody() -> None:
    window = clicks(5, NOW - 7 * DAY, 7, 0.2)
    assert reward_drop(window.assign(reward=np.nan), window, LIMITS) == ()
    assert "100 of each are needed" in reward_drop(window, window[:50], LIMITS)[0].reason
    assert "0 before" in reward_drop(window, window[:0], LIMITS)[0].reason


def test_revenue_that_can_be_negative_on_the_whole_has_no_relative_fall() -> None:
    before = clicks(6, NOW - 21 * DAY, 14, 0.2)
    before["reward"] -= 0.5
    (found,) = reward_drop(clicks(7, NOW - 7 * DAY, 7, 0.2), before, LIMITS)
    assert (found.observed, found.severity) == (None, Severity.INFO)


def test_each_reward_that_has_a_name_is_judged_by_itself() -> None:
    before, window = clicks(8, NOW - 21 * DAY, 14, 0.2), clicks(9, NOW - 7 * DAY, 7, 0.1)
    for rows in (before, window):
        rows["reward"] = [{"click": one, "revenue": 2.0 + one % 0.1} if number % 3 else None for number, one in enumerate(rows["reward"])]
    found = {one.subject: one for one in reward_drop(window, before, LIMITS)}
    assert {name: one.severity for name, one in found.items()} == {"click": Severity.WARN, "revenue": Severity.INFO}
    assert found["click"].reason.startswith("mean click fell to 0.09955 (between ")
