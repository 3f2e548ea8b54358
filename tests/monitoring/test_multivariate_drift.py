"""Multivariate drift and outliers as findings: named columns, limits by size, categories, rows of one day, too few rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts.events import Severity
from contracts.spec import Features, Monitors
from monitoring.data_drift import data_drift
from monitoring.multivariate_drift import multivariate_drift
from monitoring.outliers import outlier_share

FEATURES = Features(numeric=["a", "b", "c"], categorical=["kind", "place"])
LIMITS = Monitors()


def world(seed: int, rows: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    numbers = {name: random.normal(size=rows) for name in FEATURES.numeric}
    return pd.DataFrame({**numbers, "kind": random.choice(["x", "y"], rows), "place": random.choice(["p", "q", "r"], rows)})


def test_rows_of_one_world_look_alike_and_the_answer_does_not_depend_on_the_day_it_is_asked() -> None:
    first, again = (multivariate_drift(world(1, 2000), world(2, 2000), FEATURES, LIMITS) for _ in range(2))
    assert first == again
    assert first[0].severity is Severity.INFO
    assert first[0].reason.startswith("rows look like the reference: area under the curve 0.")


def test_a_number_that_came_to_depend_on_a_category_is_seen_and_both_are_named_where_each_column_is_as_before() -> None:
    reference, window = world(1, 4000), world(2, 4000)
    window["b"] = window["b"].abs() * np.where(window["kind"] == "x", 1, -1)
    assert {one.severity for one in data_drift(reference, window, FEATURES, LIMITS)} == {Severity.INFO}
    (found,) = multivariate_drift(reference, window, FEATURES, LIMITS)
    assert found.severity is Severity.WARN
    assert "can be told from the reference, by " in found.reason
    assert {name for name in FEATURES.all if name in found.reason.split(", by ")[1].split(":")[0].split(", ")} == {"b", "kind"}


def test_a_trifle_in_very_many_rows_is_significant_and_not_worth_a_word() -> None:
    window = world(2, 20_000)
    window["a"] += 0.12
    (found,) = multivariate_drift(world(1, 20_000), window, FEATURES, LIMITS)
    assert found.p_value is not None
    assert found.p_value < 1e-3
    assert found.severity is Severity.INFO


def test_a_window_of_few_days_each_with_its_own_weather_is_not_called_drift() -> None:
    random, hours = np.random.default_rng(3), pd.Series(pd.date_range("2026-01-01", periods=24 * 21, freq="h", tz="UTC"))
    weather = random.normal(size=(21, 3)).repeat(24, axis=0) + random.normal(0, 0.1, (504, 3))
    rows = world(4, 504).assign(**dict(zip(FEATURES.numeric, weather.T, strict=True)))
    apart = slice(0, 336), slice(336, None)
    parts, times = [rows.iloc[one].reset_index(drop=True) for one in apart], [hours.iloc[one].reset_index(drop=True) for one in apart]
    limits = LIMITS.model_copy(update={"min_rows": 100})
    assert multivariate_drift(*parts, FEATURES, limits)[0].severity is Severity.WARN, "row by row each day is known again"
    assert multivariate_drift(*parts, FEATURES, limits, (times[0], times[1]))[0].severity is Severity.INFO


def test_fewer_rows_than_are_needed_are_judged_by_nobody() -> None:
    few = world(1, 50)
    assert "200 of each are needed" in multivariate_drift(world(2, 500), few, FEATURES, LIMITS)[0].reason
    assert "200 of each are needed" in outlier_share(world(2, 500), few, FEATURES, LIMITS)[0].reason


def test_of_rows_like_the_training_rows_about_one_in_a_hundred_is_an_outlier() -> None:
    shares = [outlier_share(world(seed, 4000), world(seed + 50, 2000), FEATURES, LIMITS)[0] for seed in range(3)]
    assert np.mean([one.observed for one in shares if one.observed is not None]) == pytest.approx(0.01, abs=0.005)
    assert {one.severity for one in shares} == {Severity.INFO}


@pytest.mark.parametrize("broken", ["far out", "rare before"])
def test_rows_unlike_the_training_rows_are_counted_and_warned_of(broken: str) -> None:
    trained, window = world(1, 4000), world(2, 2000)
    rows = window.index % 5 == 0
    if broken == "far out":
        window.loc[rows, ["a", "b", "c"]] += 6
    else:
        trained.loc[trained.index % 250 == 0, ["kind", "place"]] = "rare"
        window.loc[rows, ["kind", "place"]] = "rare"
    (found,) = outlier_share(trained, window, FEATURES, LIMITS)
    assert found.severity is Severity.WARN
    assert found.observed is not None
    assert 0.1 < found.observed < 0.22
