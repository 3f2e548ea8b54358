"""Too few labels decide nothing, in no arm and at no time; labelled requests that are not like the others are told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from contracts.verdict import Outcome, Verdict
from rollout.labels import bias, coverage

ALL = np.ones(1000, dtype=bool)
RANDOM = np.random.default_rng(2)


def rows(labelled: Any, arms: Any = "champion") -> pd.DataFrame:
    labels = np.where(np.asarray(labelled), 1.0, np.nan)
    return pd.DataFrame({"label": pd.Series(labels), "arm": np.broadcast_to(np.asarray(arms), len(labels))})


def test_enough_labels_in_every_arm_and_at_every_time_pass_and_the_sentence_has_the_numbers() -> None:
    found = coverage(rows(np.arange(1000) % 4 != 0), ALL, 0.5)
    assert (found.outcome, found.observed, found.samples) == (Outcome.PASS, 0.75, 1000)
    assert found.reason == (
        "75.0% of 1000 due requests have a label (champion 75.0%; in tenths of the time from 75.0% to 75.0%, 75.0% in the last one); "
        "at least 50.0% are needed"
    )


def test_too_few_labels_are_inconclusive_and_only_due_requests_are_counted() -> None:
    labelled = np.arange(1000) < 400
    assert coverage(rows(labelled), ALL, 0.5).outcome is Outcome.INCONCLUSIVE
    assert coverage(rows(labelled), np.arange(1000) < 500, 0.5).observed == pytest.approx(0.8)
    assert coverage(rows(labelled), ~ALL, 0.5).outcome is Outcome.INCONCLUSIVE


def test_the_arm_with_the_fewest_labels_is_the_one_that_counts() -> None:
    arms = np.where(np.arange(1000) % 10 == 0, "candidate", "champion")
    found = coverage(rows(arms == "champion", arms), ALL, 0.5)
    assert (found.outcome, found.observed) == (Outcome.INCONCLUSIVE, 0.0)
    assert "(candidate 0.0%, champion 100.0%;" in found.reason


@pytest.mark.parametrize(("until", "outcome"), [(800, Outcome.PASS), (700, Outcome.INCONCLUSIVE)])
def test_labels_that_stopped_coming_are_a_hole_even_where_there_are_enough_altogether(until: int, outcome: Outcome) -> None:
    found = coverage(rows(np.arange(1000) < until), ALL, 0.5)
    assert found.outcome is outcome
    assert "0.0% in the last one" in found.reason


def compared(labelled: np.ndarray, rule: Any = "wait", **columns: Any) -> Verdict:
    frame = pd.DataFrame(columns)
    return bias(rows(labelled), np.ones(len(labelled), dtype=bool), lambda: frame, rule)


def test_labels_that_come_at_random_pass() -> None:
    x, kind = RANDOM.normal(size=4000), RANDOM.choice(["a", "b"], 4000)
    found = compared(RANDOM.random(4000) < 0.7, x=x, kind=kind)
    assert found.outcome is Outcome.PASS
    assert "are alike" in found.reason


@pytest.mark.parametrize(("rule", "outcome"), [("wait", Outcome.INCONCLUSIVE), ("warn", Outcome.PASS)])
def test_labels_that_come_for_some_kinds_of_request_only_are_said_and_waited_for_by_rule(rule: Any, outcome: Outcome) -> None:
    x, y = RANDOM.normal(size=(2, 4000))
    kind = np.where(RANDOM.random(4000) < 0.5, "a", "b")
    labelled = (x > 0) | (kind == "a") & (RANDOM.random(4000) < 0.5)
    found = compared(labelled, rule, x=x, y=y, kind=kind)
    assert found.outcome is outcome
    assert "unlabelled requests differ from the" in found.reason
    assert "in x (stability index" in found.reason
    assert " y (" not in found.reason


def test_a_trifle_is_no_difference_however_many_rows_show_it() -> None:
    x = RANDOM.normal(size=40_000)
    found = compared(RANDOM.random(40_000) < 0.5 + 0.05 * np.sign(x), x=x)
    assert found.outcome is Outcome.PASS


def test_too_few_of_either_are_not_compared_and_the_log_is_not_read_for_it() -> None:
    def never() -> pd.DataFrame:
        raise AssertionError("read for nothing")

    found = bias(rows(np.arange(1000) >= 199), ALL, never, "wait")
    assert (found.outcome, found.observed) == (Outcome.PASS, None)
    assert "801 labelled and 199 unlabelled" in found.reason


def test_where_labels_come_at_random_it_waits_for_nothing_in_far_more_than_nine_of_ten_looks() -> None:
    outcomes = [compared(RANDOM.random(450) < 0.5, **{f"f{n}": RANDOM.normal(size=450) for n in range(6)}).outcome for _ in range(60)]
    assert outcomes.count(Outcome.INCONCLUSIVE) <= 3
