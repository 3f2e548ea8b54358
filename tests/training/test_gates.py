"""Gates by hand: every limit, with and without a champion, by slice."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from contracts.spec import OfflineGate
from contracts.verdict import Outcome
from training.evaluate import evaluate, evaluate_slices
from training.gates import Measured, judge


@pytest.mark.parametrize(
    ("gate", "candidate", "champion", "outcome", "limit"),
    [
        ({"metric": "mae", "max": 10}, 10.0, None, Outcome.PASS, 10),
        ({"metric": "mae", "max": 10}, 10.1, 50.0, Outcome.FAIL, 10),
        ({"metric": "auc", "min": 0.7}, 0.69, None, Outcome.FAIL, 0.7),
        ({"metric": "mae", "max_regression": 0.02}, 10.2, 10.0, Outcome.PASS, 10.2),
        ({"metric": "mae", "max_regression": 0.02}, 10.3, 10.0, Outcome.FAIL, 10.2),
        ({"metric": "auc", "max_regression": 0.1}, 0.72, 0.8, Outcome.PASS, 0.72),
        ({"metric": "auc", "max_regression": 0.1}, 0.71, 0.8, Outcome.FAIL, 0.72),
        ({"metric": "r2", "max_regression": 0.1}, -0.21, -0.2, Outcome.PASS, -0.22),
        ({"metric": "mae", "max_regression": 0.0}, 99.0, None, Outcome.PASS, None),
        ({"metric": "auc", "min": 0.5}, math.nan, None, Outcome.FAIL, 0.5),
    ],
)
def test_a_limit_is_met_or_not(
    gate: dict[str, object], candidate: float, champion: float | None, outcome: Outcome, limit: float | None
) -> None:
    (verdict,) = judge(OfflineGate.model_validate(gate), "", Measured(candidate, champion, 100))
    assert (verdict.outcome, verdict.limit) == (outcome, pytest.approx(limit))


def test_a_small_slice_is_not_judged_and_says_so() -> None:
    (verdict,) = judge(OfflineGate(metric="mae", max=1, slice="day"), "day=1", Measured(99, None, 29))
    assert verdict.outcome is Outcome.PASS
    assert "too few" in verdict.reason


def test_metrics_equal_those_computed_by_hand() -> None:
    seen = evaluate(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]), ["mae", "rmse"])
    assert seen == {"mae": 1.0, "rmse": pytest.approx(math.sqrt(5 / 3))}
    truth, chance = np.array([0, 1, 1, 0]), np.array([0.2, 0.9, 0.4, 0.6])
    seen = evaluate(truth, chance, ["log_loss", "brier", "auc", "accuracy"], (0, 1))
    assert seen["log_loss"] == pytest.approx(-(math.log(0.8) + math.log(0.9) + 2 * math.log(0.4)) / 4)
    assert seen["brier"] == pytest.approx((0.04 + 0.01 + 0.36 + 0.36) / 4)
    assert (seen["auc"], seen["accuracy"]) == (0.75, 0.5)


def test_auc_of_one_class_is_not_a_number() -> None:
    assert math.isnan(evaluate(np.array([1, 1]), np.array([0.2, 0.9]), ["auc"], (0, 1))["auc"])


def test_slices_are_measured_apart_and_missing_values_are_a_slice() -> None:
    frame = pd.DataFrame({"day": [1, 1, None], "y": [1.0, 2.0, 3.0]})
    seen = evaluate_slices(frame, "day", "y", np.array([2.0, 2.0, 7.0]), "mae")
    assert seen == {"1.0": (0.5, 2), "missing": (4.0, 1)}
