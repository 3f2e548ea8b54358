"""Error drift: quiet on streams without a rise whatever their daily season, quick where the loss rises, honest about what it expects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.events import Finding, Severity
from contracts.spec import Monitors
from monitoring.error_drift import Expectation, block_means, error_drift, expectation

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 2, 1, tzinfo=UTC)
LIMITS = Monitors(min_labels=20)


def hours(random: np.random.Generator, start: datetime, days: int, season: float = 0.0, level: float = 0.5) -> tuple[pd.Series, np.ndarray]:
    """Mean losses of hours with some 60 rows each: spread 13 % of the mean, which swings by `season` within a day."""
    times = pd.Series(pd.date_range(start, periods=24 * days, freq="1h"))
    mean = level * (1 + season * np.sin(2 * np.pi * times.dt.hour.to_numpy() / 24))
    return times, mean * random.gamma(60, 1 / 60, len(times))


def expected_of(random: np.random.Generator, season: float = 0.0, days: int = 7) -> Expectation:
    found = expectation(block_means(*hours(random, START - days * DAY, days, season), HOUR), LIMITS)
    assert found is not None
    return found


def at(expected: Expectation, times: pd.Series, losses: np.ndarray, hour: int) -> Finding:
    """What is said after so many hours."""
    return error_drift(expected, times[:hour], losses[:hour], "log_loss", START + hour * HOUR, LIMITS)[0]


def delay(expected: Expectation, times: pd.Series, losses: np.ndarray, shifted_at: int) -> float:
    """Hours from the shift to the first alarm."""
    looks = range(shifted_at, len(times) + 1)
    return next((hour - shifted_at for hour in looks if at(expected, times, losses, hour).severity is Severity.RETRAIN), np.inf)


@pytest.mark.parametrize("season", [0.0, 0.5, 0.9])
def test_four_weeks_without_a_rise_never_alarm_whatever_the_season_of_the_day(season: float) -> None:
    random = np.random.default_rng(11)
    alarmed = 0
    for _ in range(20):
        expected = expected_of(random, season)
        times, losses = hours(random, START, 28, season)
        alarmed += any(at(expected, times, losses, hour).severity is Severity.RETRAIN for hour in range(24, 24 * 28 + 1, 9))
    assert alarmed == 0


def test_with_short_blocks_the_worst_hours_of_each_day_are_expected_to_be_worse() -> None:
    random = np.random.default_rng(10)
    limits = LIMITS.model_copy(update={"error_block": timedelta(minutes=5)})
    times = pd.Series(pd.date_range(START - 7 * DAY, START + 7 * DAY, freq="5min"))
    losses = (1 + 0.6 * np.sin(2 * np.pi * times.dt.hour.to_numpy() / 24)) * random.gamma(5, 1 / 5, len(times))
    before = (times < START).to_numpy()
    expected = expectation(block_means(times[before], losses[before], limits.error_block), limits)
    for hour in range(6, 24 * 7, 3):
        known = ~before & (times < START + hour * HOUR).to_numpy()
        found = error_drift(expected, times[known], losses[known], "log_loss", START + hour * HOUR, limits)[0]
        assert found.severity is Severity.INFO, found.reason


def test_a_rise_of_45_percent_is_seen_within_two_days_though_two_good_weeks_came_before() -> None:
    random = np.random.default_rng(12)
    delays = []
    for _ in range(15):
        expected = expected_of(random, 0.3)
        good, bad = hours(random, START, 14, 0.3), hours(random, START + 14 * DAY, 4, 0.3, level=0.5 * 1.45)
        times = pd.concat([good[0], bad[0]], ignore_index=True)
        delays.append(delay(expected, times, np.append(good[1], bad[1]), 14 * 24))
    assert np.median(delays) <= 40
    assert max(delays) <= 60


def test_a_rise_within_the_margin_is_no_reason() -> None:
    random = np.random.default_rng(13)
    times, losses = hours(random, START, 28, level=0.5 * 1.08)
    assert at(expected_of(random), times, losses, 28 * 24).severity is Severity.INFO


def test_the_finding_says_how_much_since_when_and_how_sure() -> None:
    random = np.random.default_rng(14)
    good, bad = hours(random, START, 10), hours(random, START + 10 * DAY, 4, level=1.0)
    times, losses = pd.concat([good[0], bad[0]], ignore_index=True), np.append(good[1], bad[1])
    found = at(expected_of(random), times, losses, len(times))
    assert found.severity is Severity.RETRAIN
    assert found.observed == pytest.approx(1.0, abs=0.1)
    assert found.limit == 0.1
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.reason.startswith("log_loss rose to 0.99")
    assert "since 2026-02-1" in found.reason


def test_the_alarm_goes_when_the_window_is_good_again() -> None:
    random = np.random.default_rng(15)
    bad, good = hours(random, START, 20, level=1.0), hours(random, START + 20 * DAY, 9)
    times, losses = pd.concat([bad[0], good[0]], ignore_index=True), np.append(bad[1], good[1])
    expected = expected_of(random)
    assert at(expected, times, losses, 20 * 24).severity is Severity.RETRAIN
    assert at(expected, times, losses, 29 * 24).severity is Severity.INFO


def test_few_held_out_rows_make_the_limit_wider_and_one_block_makes_none() -> None:
    random = np.random.default_rng(16)
    short, long = expected_of(random, days=1), expected_of(random, days=14)
    assert 1.0 < long.slack < short.slack
    assert expectation(pd.Series([0.5], index=pd.DatetimeIndex([START])), LIMITS) is None
    times, losses = hours(random, START, 3, level=5.0)
    said = error_drift(None, times, losses, "log_loss", START + 3 * DAY, LIMITS)[0]
    assert (said.severity, said.observed) == (Severity.INFO, None)
    assert "lengthen train.holdout" in said.reason


def test_a_block_counts_only_when_its_labels_are_due() -> None:
    random = np.random.default_rng(17)
    times, losses = hours(random, START, 2)
    losses[-1] = 1e6  # the last hour's quick labels are the bad ones; the others are still to come
    expected = expected_of(random)
    assert error_drift(expected, times, losses, "log_loss", START + 2 * DAY - HOUR / 2, LIMITS)[0].severity is Severity.INFO
    assert error_drift(expected, times, losses, "log_loss", START + 2 * DAY, LIMITS)[0].severity is Severity.RETRAIN


def test_too_few_labels_and_no_complete_block_are_said() -> None:
    random = np.random.default_rng(18)
    times, losses = hours(random, START, 1)
    expected = expected_of(random)
    few = error_drift(expected, times[:3], losses[:3], "log_loss", START + DAY, LIMITS)[0]
    assert few.reason == "3 rows are labelled; 20 are needed"
    early = error_drift(expected, times, losses, "log_loss", START, LIMITS)[0]
    assert early.reason == "no block is complete yet: its rows or their labels are still to come"


def test_a_model_that_made_no_error_on_its_held_out_rows_can_be_judged() -> None:
    times, losses = hours(np.random.default_rng(19), START, 1)
    expected = expectation(block_means(times - 7 * DAY, losses * 0, HOUR), LIMITS)
    assert error_drift(expected, times, losses, "log_loss", START + DAY, LIMITS)[0].severity is Severity.RETRAIN
    assert error_drift(expected, times, losses * 0, "log_loss", START + DAY, LIMITS)[0].severity is Severity.INFO
