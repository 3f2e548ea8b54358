"""Checks against the history: each number is counted by hand, and nothing is judged by too little."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.checks import Association, Distribution, Freshness, Gaps, Volume
from contracts.columns import EVENT_TIME
from contracts.verdict import Outcome, Verdict
from data_checks.history.association import association
from data_checks.history.distribution import distance, distribution
from data_checks.history.freshness import freshness
from data_checks.history.gaps import gaps
from data_checks.history.volume import unusual_days, volume

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday


def times(start: str, end: str, freq: str = "1h") -> pd.Series:
    return pd.Series(pd.date_range(start, end, freq=freq, tz="UTC", inclusive="left"))


def rows(start: str, days: int, seed: int, *, shift: float = 0.0) -> pd.DataFrame:
    """An hour a row; `y` follows `x` and the shop, `season` is a year long."""
    at = pd.Series(pd.date_range(start, periods=24 * days, freq="1h", tz="UTC"))
    draw = np.random.default_rng(seed)
    x = draw.normal(0, 1, len(at)) + shift
    shop = draw.choice(["north", "south", "west"], len(at), p=[0.5, 0.3, 0.2])
    season = np.cos(2 * np.pi * at.dt.day_of_year.to_numpy() / 365)
    return pd.DataFrame({EVENT_TIME: at, "x": x, "shop": shop, "season": season, "y": x + (shop == "west") + draw.normal(0, 0.3, len(at))})


REFERENCE = rows("2025-03-01", 200, 0)


def by_gate(found: list[Verdict]) -> dict[str, Verdict]:
    return {one.gate: one for one in found}


@pytest.mark.parametrize(("age", "outcome"), [(timedelta(days=2), Outcome.PASS), (timedelta(days=2, seconds=1), Outcome.FAIL)])
def test_the_newest_row_may_be_as_old_as_the_limit_and_no_older(age: timedelta, outcome: Outcome) -> None:
    found = freshness(Freshness(max_age=timedelta(days=2), severity="batch"), NOON - age, NOON)
    assert (found.outcome, found.observed, found.limit) == (outcome, age.total_seconds(), 2 * 86_400)


def test_a_failure_of_severity_warn_passes_and_says_so() -> None:
    found = freshness(Freshness(max_age=timedelta(hours=1)), NOON - timedelta(hours=30), NOON)
    assert found.outcome is Outcome.PASS
    assert found.reason == "Warning only: the newest row is of 2026-02-28T06:00:00+00:00, 1 d 6 h ago; at most 1 h are allowed."


def test_without_a_clock_age_is_not_judged() -> None:
    assert freshness(Freshness(max_age=timedelta(hours=1)), NOON, None).outcome is Outcome.INCONCLUSIVE


def test_the_longest_time_without_a_row_is_named_whether_inside_the_batch_or_before_it() -> None:
    check = Gaps(max_gap=timedelta(hours=5), severity="batch")
    batch = pd.concat([times("2026-03-02 00:00", "2026-03-02 04:00"), times("2026-03-02 10:00", "2026-03-02 12:00")]).sample(frac=1)
    inside = gaps(check, batch, datetime(2026, 3, 1, 23, tzinfo=UTC))
    assert (inside.outcome, inside.observed) == (Outcome.FAIL, 7 * 3600)
    assert "no row for 7 h before 2026-03-02T10:00:00+00:00; at most 5 h are allowed." in inside.reason
    before = gaps(check, times("2026-03-02", "2026-03-03"), NOON)
    assert (before.outcome, before.observed) == (Outcome.FAIL, 12 * 3600)
    assert gaps(check, times("2026-03-02", "2026-03-03"), None).outcome is Outcome.PASS


def test_a_day_twice_as_long_is_held_against_its_weekday() -> None:
    before = times("2026-01-05", "2026-03-02")
    twice = pd.concat([times("2026-03-02", "2026-03-04"), times("2026-03-03", "2026-03-04"), times("2026-03-04", "2026-03-05")])
    found = volume(Volume(max_ratio=1.5, severity="batch"), twice, before)
    assert (found.outcome, found.observed, found.samples) == (Outcome.FAIL, 2.0, 2)
    assert found.reason.startswith("2026-03-03 has 48 rows, and Tuesdays before had 24;")


def test_a_day_without_rows_and_the_batchs_unfinished_last_day() -> None:
    before = times("2026-01-05", "2026-03-02")
    batch = pd.concat([times("2026-03-02", "2026-03-03"), times("2026-03-04", "2026-03-04 02:00")])
    assert [(one.rows, one.ratio) for one in unusual_days(batch, before)] == [(24, 1.0), (0, math.inf)]


def test_weekends_are_held_against_weekends_and_few_rows_may_vary_by_chance() -> None:
    weekdays = times("2026-01-05", "2026-03-02")
    before = weekdays[weekdays.dt.day_of_week < 5]
    batch = pd.concat([times("2026-03-02", "2026-03-07"), times("2026-03-09", "2026-03-10 01:00")])
    assert volume(Volume(), batch, before).outcome is Outcome.PASS
    sparse = times("2026-01-05", "2026-03-02", "12h")
    assert volume(Volume(severity="batch"), times("2026-03-02", "2026-03-04", "4h"), sparse).observed == 1.0


def test_a_day_begins_at_midnight_of_the_pipelines_zone() -> None:
    before, batch = times("2026-01-05", "2026-03-02"), times("2026-03-02", "2026-03-03 03:00")
    assert [f"{one.day:%m-%d}" for one in unusual_days(batch, before, "America/New_York")] == ["03-01"]  # its last five hours came now
    assert [f"{one.day:%m-%d}" for one in unusual_days(batch, before)] == ["03-02"]


def test_volume_is_not_judged_without_three_of_a_weekday() -> None:
    assert volume(Volume(), times("2026-03-02", "2026-03-04"), times("2026-02-16", "2026-03-02")).outcome is Outcome.INCONCLUSIVE


def test_distances_are_those_counted_by_hand() -> None:
    assert distance(pd.Series([1.0, 2.0, 3.0, 4.0]), pd.Series([2.0, 3.0, 4.0, 5.0])) == pytest.approx(0.25)
    assert distance(pd.Series([1.0, 2.0, 3.0, 4.0]), pd.Series([1.0, 2.0, None, None])) == pytest.approx(0.5)
    assert distance(pd.Series(["a", "b"]), pd.Series(["a", None])) == pytest.approx(0.5)
    assert distance(pd.Series([True, False]), pd.Series([True, True])) == pytest.approx(0.5)


def test_a_column_in_another_unit_is_named_and_one_that_moves_with_the_year_is_not() -> None:
    batch = rows("2025-09-17", 7, 1).assign(x=lambda frame: frame["x"] * 10)
    found = by_gate(distribution(Distribution(severity="batch"), batch, REFERENCE, ["x", "shop", "season", "y"]))
    assert {gate for gate, one in found.items() if one.outcome is Outcome.FAIL} == {"distribution(x)"}
    assert found["distribution(season)"].limit == 1.0, "no stretch of the reference was in this season before, either"


def test_a_renamed_category_moves_its_column() -> None:
    batch = rows("2025-09-17", 7, 1).replace({"shop": {"south": "South"}})
    found = by_gate(distribution(Distribution(severity="batch"), batch, REFERENCE, ["shop"]))["distribution(shop)"]
    assert found.outcome is Outcome.FAIL
    assert found.observed == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("reference", [REFERENCE.iloc[:20], REFERENCE.iloc[: 24 * 20]])
def test_without_stretches_to_tell_what_is_usual_nothing_is_judged(reference: pd.DataFrame) -> None:
    batch = rows("2025-09-17", 7, 1, shift=9)
    assert [one.outcome for one in distribution(Distribution(severity="batch"), batch, reference, ["x"])] == [Outcome.INCONCLUSIVE]
    assert judge_association(batch, reference).outcome is Outcome.INCONCLUSIVE


def judge_association(batch: pd.DataFrame, reference: pd.DataFrame, target: str = "y", *, classes: bool = False) -> Verdict:
    return association(Association(severity="batch"), batch, reference, ["x", "shop", "season"], target, classes=classes)


def with_class(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(sold=np.where(frame["y"] > 0.5, "yes", "no"))


def test_a_shuffled_target_has_no_association_left_and_a_true_one_keeps_it() -> None:
    batch = rows("2025-09-17", 7, 1)
    shuffled = batch.assign(y=batch["y"].sample(frac=1, random_state=0).to_numpy())
    assert judge_association(batch, REFERENCE).outcome is Outcome.PASS
    found = judge_association(shuffled, REFERENCE)
    assert (found.outcome, abs(found.observed or 1) < 0.3) == (Outcome.FAIL, True)


def test_a_target_that_only_grew_keeps_its_association() -> None:
    batch = rows("2025-09-17", 7, 1)
    assert judge_association(batch.assign(y=batch["y"] * 3 + 100), REFERENCE).outcome is Outcome.PASS


def test_the_association_of_classes_is_judged_class_by_class() -> None:
    batch = with_class(rows("2025-09-17", 7, 1))
    swapped = batch.assign(sold=batch["sold"].map({"yes": "no", "no": "yes"}))
    assert judge_association(batch, with_class(REFERENCE), "sold", classes=True).outcome is Outcome.PASS
    assert judge_association(swapped, with_class(REFERENCE), "sold", classes=True).outcome is Outcome.FAIL


def test_where_the_features_tell_nothing_there_is_nothing_to_miss() -> None:
    reference = REFERENCE.assign(y=np.random.default_rng(5).normal(size=len(REFERENCE)))
    assert judge_association(rows("2025-09-17", 7, 1), reference).outcome is Outcome.INCONCLUSIVE
