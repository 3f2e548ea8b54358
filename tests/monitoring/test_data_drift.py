"""Data drift: false alarms within the stated rate, no word about trifles however many rows, every kind of change seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts.events import Finding, Severity
from contracts.spec import Features, Monitors
from monitoring.data_drift import categories, data_drift, unseen_categories

FEATURES = Features(numeric=[f"n{number}" for number in range(8)], categorical=[f"c{number}" for number in range(4)])
LIMITS = Monitors()


def world(random: np.random.Generator, rows: int) -> pd.DataFrame:
    numeric = {name: random.normal(size=rows) if index % 2 else random.poisson(3.0, rows) for index, name in enumerate(FEATURES.numeric)}
    words = {name: random.choice(["a", "b", "c", "d"], rows, p=(0.6, 0.25, 0.1, 0.05)) for name in FEATURES.categorical}
    return pd.DataFrame({**numeric, **words})


def warned(found: tuple[Finding, ...]) -> set[tuple[str, str]]:
    return {(one.monitor, one.subject) for one in found if one.severity is not Severity.INFO}


def test_windows_resampled_without_drift_alarm_within_the_stated_rate_even_without_an_effect_size() -> None:
    random = np.random.default_rng(21)
    windows, by_test_alone, worth_a_word = 120, 0, 0
    tests_only = LIMITS.model_copy(update={"min_effect": 0.0})
    for _ in range(windows):
        found = [one for one in data_drift(world(random, 1500), world(random, 400), FEATURES, tests_only) if one.severity is Severity.WARN]
        by_test_alone += bool(found)
        worth_a_word += any(one.observed is not None and one.observed >= LIMITS.min_effect for one in found)
    assert 0 < by_test_alone / windows <= LIMITS.fdr + 2 * np.sqrt(LIMITS.fdr / windows)
    assert worth_a_word == 0


def test_of_columns_that_are_named_at_most_the_stated_share_did_not_move() -> None:
    random = np.random.default_rng(22)
    tests_only = LIMITS.model_copy(update={"min_effect": 0.0})
    wrong = []
    for _ in range(40):
        window = world(random, 400).assign(n1=random.normal(0.5, 1, 400), n3=random.normal(0.5, 1, 400), c0="a")
        named = {subject for _, subject in warned(data_drift(world(random, 1500), window, FEATURES, tests_only))}
        assert {"n1", "n3", "c0"} <= named
        wrong.append(len(named - {"n1", "n3", "c0"}) / len(named))
    assert np.mean(wrong) <= LIMITS.fdr + 2 * np.std(wrong) / np.sqrt(len(wrong))


def test_a_trifle_in_very_many_rows_is_significant_and_not_worth_a_word() -> None:
    random = np.random.default_rng(23)
    reference, window = world(random, 50_000), world(random, 50_000)
    window["n1"] += 0.05
    found = next(one for one in data_drift(reference, window, FEATURES, LIMITS) if one.subject == "n1")
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.severity is Severity.INFO


def test_each_kind_of_change_is_seen_alone_and_no_input_alarm_is_louder_than_a_warning() -> None:
    random = np.random.default_rng(24)
    reference, window = world(random, 3000), world(random, 1000)
    window["n1"] = window["n1"] * 2
    window["c1"] = random.choice(["a", "b"], 1000)
    window["n3"] = window["n3"].where(random.random(1000) > 0.2)
    window["c2"] = window["c2"].where(random.random(1000) > 0.2)
    found = data_drift(reference, window, FEATURES, LIMITS)
    assert warned(found) == {("data_drift", "n1"), ("data_drift", "c1"), ("missing", "n3"), ("missing", "c2")}
    assert {one.severity for one in found} == {Severity.INFO, Severity.WARN}
    assert {one.subject for one in found if one.monitor == "data_drift"} == set(FEATURES.all), "every column is reported, moved or not"
    (missing,) = (one for one in found if one.monitor == "missing" and one.subject == "n3")
    assert "missing 0.0% then, 2" in missing.reason


@pytest.mark.parametrize("gone", ["n0", "c0"])
def test_a_column_that_stopped_coming_is_seen(gone: str) -> None:
    random = np.random.default_rng(25)
    window = world(random, 1000)
    for broken in (window.drop(columns=gone), window.assign(**{gone: None})):
        assert warned(data_drift(world(random, 3000), broken, FEATURES, LIMITS)) == {("missing", gone)}


def test_numbers_and_texts_of_one_category_are_the_same() -> None:
    reference = pd.DataFrame({"c": [1, 2, 3, 1] * 100})
    features = Features(categorical=["c"])
    for values in (["1", "2", "3", "1"], [1.0, 2.0, 3.0, 1.0]):
        window = pd.DataFrame({"c": values * 60})
        assert warned(data_drift(reference, window, features, LIMITS)) == set()
        assert unseen_categories(categories(reference, ["c"]), window) == ()


def test_categories_that_no_training_row_had_are_named_and_one_in_a_hundred_is_a_warning() -> None:
    known = categories(pd.DataFrame({"c": ["a", "b", None]}), ["c"])
    rare, many = (pd.DataFrame({"c": ["a"] * 995 + ["x"] * 5}), pd.DataFrame({"c": ["a"] * 900 + ["x"] * 90 + ["y"] * 10}))
    assert [one.severity for one in unseen_categories(known, rare)] == [Severity.INFO]
    (found,) = unseen_categories(known, many)
    assert found.severity is Severity.WARN
    assert found.reason == "c: 10.0% of rows have a category the champion never saw: 'x', 'y'"


def test_too_few_rows_are_said_and_not_judged() -> None:
    random = np.random.default_rng(26)
    (found,) = data_drift(world(random, 1000), world(random, 50), FEATURES, LIMITS)
    assert found.reason == "50 rows against 1000 of the reference; 200 of each are needed"
