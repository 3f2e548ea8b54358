"""A champion too old is refitted; volume, silence and labels are told, and judged where they can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from contracts.events import Severity
from contracts.spec import Monitors
from monitoring.age import champion_age
from monitoring.traffic import freshness, label_coverage, traffic_volume

NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(("days", "severity"), [(27, Severity.INFO), (28, Severity.INFO), (28.1, Severity.RETRAIN)])
def test_a_champion_older_than_it_may_be_asks_for_a_retrain(days: float, severity: Severity) -> None:
    (found,) = champion_age(NOW - days * DAY, NOW, 28 * DAY)
    assert found.severity is severity
    assert found.observed == pytest.approx(days / 28)
    assert found.reason == f"the champion has answered for {days:.1f} d; it may for 4w"


def test_unless_the_spec_says_otherwise_a_champion_may_be_ninety_days_old() -> None:
    assert Monitors().max_age == 90 * DAY
    assert Monitors.model_validate({"max_age": None}).max_age is None


def test_without_a_limit_or_a_champion_there_is_no_age() -> None:
    assert champion_age(NOW, NOW, None) == ()
    assert champion_age(None, NOW, DAY) == ()


LIMITS = Monitors()
NONE = pd.Series([], dtype="datetime64[us, UTC]")


def hourly(first: datetime, days: float, every: str = "1h") -> pd.Series:
    return pd.Series(pd.date_range(first, first + days * DAY, freq=every, inclusive="left", unit="us"))


def test_before_there_was_a_week_of_live_traffic_volume_is_told_beside_the_training_datas_and_judged_by_nobody() -> None:
    (found,) = traffic_volume(hourly(NOW - 4 * DAY, 4, "20min"), NONE, hourly(NOW - 30 * DAY, 20), (NOW - 4 * DAY, NOW), LIMITS)
    assert found.observed == pytest.approx(3.0)
    assert found.severity is Severity.INFO
    assert found.reason == "288 rows; at the same hours of the week 96 are in the training data"
    assert traffic_volume(NONE, NONE, NONE, (NOW - DAY, NOW), LIMITS)[0].reason == "0 rows"


@pytest.mark.parametrize(("every", "fires"), [("10min", False), ("6min", False), ("5min", True), ("20min", True), ("18min", False)])
def test_live_traffic_is_judged_by_live_traffic_and_beyond_the_factor_it_is_worth_a_word(every: str, fires: bool) -> None:
    before, asked = hourly(NOW - 16 * DAY, 14, "10min"), hourly(NOW - 2 * DAY, 2, every)
    (found,) = traffic_volume(asked, before, NONE, (NOW - 2 * DAY, NOW), LIMITS)
    assert (found.severity is Severity.WARN) == fires, found.reason
    assert "288 came in the weeks before" in found.reason


def test_a_quiet_weekend_is_held_against_weekends_and_a_busy_week_against_working_days() -> None:
    weeks = hourly(datetime(2026, 1, 5, tzinfo=UTC), 28, "5min")
    weekend = weeks.dt.day_of_week >= 5
    season = weeks[~weekend | (weeks.dt.minute == 0)].reset_index(drop=True)  # a twelfth of the rows at weekends
    saturday = datetime(2026, 1, 31, tzinfo=UTC)
    before, asked = season[season < saturday], season[season >= saturday]
    (found,) = traffic_volume(asked, before, NONE, (saturday, saturday + 2 * DAY), LIMITS.model_copy(update={"min_rows": 20}))
    assert (found.observed, found.severity) == (pytest.approx(1.0), Severity.INFO)
    monday = asked.dt.tz_convert("UTC") + 2 * DAY
    (found,) = traffic_volume(monday, season, NONE, (saturday + 2 * DAY, saturday + 4 * DAY), LIMITS)
    assert found.severity is Severity.WARN


def test_silence_is_told_and_is_worth_a_word_beyond_its_limit() -> None:
    assert freshness(None, NOW, LIMITS) == ()
    (told,) = freshness(NOW - timedelta(hours=5), NOW, LIMITS)
    assert (told.severity, told.observed, told.reason) == (Severity.INFO, 5.0, "the newest row is 5.0 h old")
    limited = LIMITS.model_copy(update={"max_silence": timedelta(hours=4)})
    assert freshness(NOW - timedelta(hours=5), NOW, limited)[0].severity is Severity.WARN
    assert freshness(NOW - timedelta(hours=4), NOW, limited)[0].severity is Severity.INFO


def labelled(known: int, hours: float) -> pd.DataFrame:
    times = pd.Series(pd.date_range(NOW - DAY, periods=200, freq="3min"))
    labels = pd.Series([1.0] * known + [None] * (200 - known), dtype="object")
    return pd.DataFrame({"event_time": times, "label": labels, "observed_at": (times + timedelta(hours=hours)).where(labels.notna())})


def test_coverage_counts_only_labels_that_are_due() -> None:
    coverage, delay = label_coverage(labelled(150, 3), NOW - DAY + 199 * timedelta(minutes=3), timedelta(), LIMITS)
    assert coverage.reason == "75.0% of 200 rows whose label is due have one"
    assert delay.reason == "half of the labels came within 3.0 h"
    assert {coverage.severity, delay.severity} == {Severity.INFO}
    assert label_coverage(labelled(150, 3), NOW - 2 * DAY, timedelta(), LIMITS) == ()
    assert label_coverage(labelled(150, 3), NOW - DAY + 99 * timedelta(minutes=3), timedelta(), LIMITS)[0].observed == 0.0


def test_labels_that_are_missing_and_labels_that_are_late_are_worth_a_word_each() -> None:
    def said(known: int, hours: float, limits: Monitors = LIMITS) -> dict[str, Severity]:
        return {one.subject: one.severity for one in label_coverage(labelled(known, hours), NOW, timedelta(hours=2), limits)}

    assert said(150, 1) == {"coverage": Severity.INFO, "delay": Severity.INFO}
    assert said(80, 1) == {"coverage": Severity.WARN, "delay": Severity.INFO}
    assert said(150, 3) == {"coverage": Severity.INFO, "delay": Severity.WARN}
    assert said(0, 1) == {"coverage": Severity.WARN}
    assert said(80, 1, LIMITS.model_copy(update={"min_coverage": 0.3}))["coverage"] is Severity.INFO
    assert said(0, 1, LIMITS.model_copy(update={"min_labels": 500})) == {"coverage": Severity.INFO}, "too few to judge"
