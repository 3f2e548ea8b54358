"""The moved intercept: a gain that a base rate alone makes is its whole, and a gain from the columns is none of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from tests.understudy.backtest.tiny import DAY, SHIFT, SPEC, STEP, rows, world_of
from understudy.backtest.base_rate import moved, shift_for
from understudy.backtest.compare import Comparison, compare_policies, recommend
from understudy.backtest.cost import BASE_RATE, IN_STEP, Cost
from understudy.backtest.table import table
from understudy.backtest.walk import Calendar

BINARY: dict[str, Any] = {
    **SPEC,
    "task": "binary",
    "train": {"window": "6d", "holdout": "1d", "estimator": "sklearn.linear_model.LogisticRegression"},
    "gates": [{"metric": "log_loss", "max": 5}],
    "rollout": {
        "stages": [{"kind": "shadow", "loss": "log_loss", "block": "2h", "margin": 1.0, "rehearse": "4d", "max_duration": "6d"}],
        "watch": "2d",
    },
}


def walked(place: Path, patch: pytest.MonkeyPatch, *, level: float, turn: bool) -> Comparison:
    """Walk a world whose intercept moves by `level` on the day of the shift, or whose slope turns around then."""
    frame, draw = rows(), np.random.default_rng(1)
    after = pd.to_datetime(frame["at"]) >= SHIFT
    odds = np.where(after & turn, -1.0, 1.0) * frame["x"] + np.where(after, level, 0.0) - 1.0
    frame["y"] = (draw.uniform(size=len(frame)) < expit(odds)).astype(int)
    spec = {**BINARY, "columns": {**BINARY["columns"], "label_delay": "6h"}}
    calendar = Calendar(SHIFT - 4 * DAY, SHIFT + 16 * DAY, STEP)
    return compare_policies(world_of(place, frame, patch, spec), ("oracle",), calendar)


def row(found: Comparison, policy: str) -> Cost:
    return next(one for one in found.costs if one.policy == policy)


def test_the_shift_makes_the_mean_answer_the_share_of_positives() -> None:
    answers = np.random.default_rng(0).uniform(0.01, 0.6, 500)
    found = moved(answers, shift_for(answers, 0.7))
    assert found.mean() == pytest.approx(0.7)
    assert np.ptp(logit(found) - logit(answers)) == pytest.approx(0, abs=1e-9)  # the intercept alone moved
    assert np.isfinite(moved(np.array([0.0, 1.0]), shift_for(np.array([0.0, 1.0]), 0.3))).all()


def test_a_gain_that_the_base_rate_makes_is_claimed_for_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = walked(tmp_path, monkeypatch, level=3.0, turn=False)
    never, every, intercept = (row(found, name) for name in ("never", "oracle", BASE_RATE))
    assert every.loss < 0.8 * never.loss
    assert every.base_rate == pytest.approx((never.loss - intercept.loss) / (never.loss - every.loss))
    assert every.base_rate > 0.8
    assert every.metrics[IN_STEP] - never.metrics[IN_STEP] == pytest.approx(0, abs=0.03)  # it ranks no better, step by step
    assert "Take never, intercept moved" not in found.recommendation
    text = "\n".join(table(found))
    assert BASE_RATE in text
    chosen = recommend([never, replace(every, policy="every:2d", reference=False), intercept], "log_loss")
    assert f"{every.base_rate:.0%} of its gain is the moving base rate" in chosen


def test_a_gain_from_the_columns_is_not_the_base_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = walked(tmp_path, monkeypatch, level=0.0, turn=True)
    never, every = row(found, "never"), row(found, "oracle")
    assert every.base_rate is not None
    assert every.base_rate < 0.3
    assert every.metrics[IN_STEP] > never.metrics[IN_STEP] + 0.1
