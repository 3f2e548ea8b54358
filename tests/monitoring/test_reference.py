"""The reference is of the same season where it reaches that far, of the same hours of the week where not, else whole."""

from __future__ import annotations

import pandas as pd

from monitoring.reference import same_season, thinned


def hourly(start: str, end: str) -> pd.Series:
    return pd.Series(pd.date_range(start, end, freq="1h", tz="UTC"))


def test_a_long_reference_gives_the_same_weeks_of_a_year_ago() -> None:
    reference = hourly("2024-01-01", "2025-12-31")
    chosen = reference[same_season(reference, hourly("2026-02-01", "2026-02-08"), least=200)]
    assert chosen.min() >= pd.Timestamp("2025-01-26", tz="UTC")
    assert chosen.max() <= pd.Timestamp("2025-02-17", tz="UTC")


def test_a_short_reference_gives_the_hours_of_the_week_that_the_window_has() -> None:
    reference, night = hourly("2026-01-01", "2026-02-01"), hourly("2026-02-02T00:00", "2026-02-02T05:00")  # a Monday
    chosen = reference[same_season(reference, night, least=20)]
    assert set(chosen.dt.day_of_week) == {0}
    assert set(chosen.dt.hour) == set(range(6))


def test_every_hour_of_the_week_is_in_it_equally_often() -> None:
    reference, week = hourly("2026-01-01", "2026-01-18T12:00"), hourly("2026-02-02T00:00", "2026-02-08T23:00")
    chosen = reference[same_season(reference, week, least=200)]
    assert set((chosen.dt.day_of_week * 24 + chosen.dt.hour).value_counts()) == {2}
    assert same_season(pd.Series([], dtype="datetime64[us, UTC]"), week, least=200).shape == (0,)


def test_a_reference_with_too_few_such_rows_is_taken_whole() -> None:
    reference, night = hourly("2026-01-01", "2026-02-01"), hourly("2026-02-02T00:00", "2026-02-02T05:00")
    assert same_season(reference, night, least=25).all()


def test_thinning_keeps_small_frames_whole_and_large_ones_below_the_most() -> None:
    assert len(thinned(pd.DataFrame({"a": range(10)}))) == 10
    assert len(thinned(pd.DataFrame({"a": []}))) == 0
    assert 33_000 <= len(thinned(pd.DataFrame({"a": range(100_001)}))) <= 50_000
