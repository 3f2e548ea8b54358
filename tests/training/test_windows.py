"""Of several windows the newest labelled rows before the holdout choose; held-out rows have no part in it."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.linear_model import Ridge

from contracts.errors import UsageError
from contracts.package import MANIFEST, Manifest
from contracts.spec import Params, PipelineSpec
from training.fit import fit
from training.windows import window_name

BEGIN = pd.Timestamp("2026-01-01", tz="UTC")
HOURS = 120 * 24
PARAMS = Params(seed=0, estimator={"alpha": 1.0})


def spec(window: object = ("20d", "60d", "all"), task: str = "regression", **train: object) -> PipelineSpec:
    linear = "Ridge" if task == "regression" else "LogisticRegression"
    windows = list(window) if isinstance(window, tuple) else window
    return PipelineSpec.model_validate(
        {
            "name": "tiny",
            "task": task,
            "source": {"kind": "file", "path": "rows.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["a", "b", "c"]}},
            "train": {"window": windows, "holdout": "2d", "estimator": f"sklearn.linear_model.{linear}", **train},
            "gates": [{"metric": "mae" if task == "regression" else "log_loss", "max": 10}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error" if task == "regression" else "log_loss"}]},
        }
    )


def rows(turned_days_ago: float | None) -> pd.DataFrame:
    """One row an hour; so many days before the end the truth turned around."""
    draw = np.random.default_rng(5)
    frame = pd.DataFrame(draw.normal(size=(HOURS, 3)), columns=["a", "b", "c"])
    frame["event_time"] = pd.date_range(BEGIN, periods=HOURS, freq="1h")
    age = (frame["event_time"].iloc[-1] - frame["event_time"]) / timedelta(days=1)
    slope = np.where(age < (turned_days_ago or 0), -2.0, 2.0)
    return frame.assign(y=slope * frame["a"] + frame["b"] + draw.normal(0, 3, HOURS))


@pytest.mark.parametrize(("turned", "chosen"), [(25, "20d"), (65, "60d"), (None, "all")])
def test_the_window_that_fits_the_world_of_today_is_chosen(turned: float | None, chosen: str) -> None:
    found = fit(rows(turned), spec(), PARAMS, None)
    assert found.window == chosen
    assert [one.window for one in found.tried] == ["20d", "60d", "all"]
    assert min(found.tried, key=lambda one: one.loss or np.inf).window == chosen


def test_each_window_is_fitted_once_on_the_rows_before_those_that_choose_and_the_chosen_one_anew_up_to_the_holdout() -> None:
    frame = rows(25)
    found = fit(frame, spec(choose_on="5d"), PARAMS, None)
    edge = frame["event_time"].iloc[-1] - timedelta(days=2)
    before, times = edge - timedelta(days=5), frame["event_time"]
    judges = frame[(times > before) & (times <= edge)]
    for one, days in zip(found.tried, (20, 60, 10_000), strict=True):
        part = frame[(times <= before) & (times > before - timedelta(days=days))]
        scaled = (part[["a", "b", "c"]] - part[["a", "b", "c"]].mean()) / part[["a", "b", "c"]].std(ddof=0)
        asked = (judges[["a", "b", "c"]] - part[["a", "b", "c"]].mean()) / part[["a", "b", "c"]].std(ddof=0)
        by_hand = np.abs(Ridge(alpha=1.0).fit(scaled, part["y"]).predict(asked) - judges["y"]).mean()
        assert one.fitted_rows == len(part)
        assert one.loss == pytest.approx(by_hand)
    fitted = frame[(times <= edge) & (times > edge - timedelta(days=20))]
    assert (found.window, found.fitted_rows) == ("20d", len(fitted))
    said = Manifest.model_validate_json(found.files[MANIFEST])
    assert (said.since, said.cutoff) == (fitted["event_time"].iloc[0].isoformat(), fitted["event_time"].iloc[-1].isoformat())
    assert found.files == fit(frame, spec("20d"), PARAMS, None).files  # the same bytes as that window alone gives


def test_the_rows_that_judge_a_candidate_have_no_part_in_the_choice() -> None:
    frame = rows(25)
    poisoned = frame.assign(y=frame["y"].where(frame["event_time"] <= frame["event_time"].iloc[-1] - timedelta(days=2), -1e9))
    clean, other = fit(frame, spec(), PARAMS, None), fit(poisoned, spec(), PARAMS, None)
    assert (other.tried, other.files) == (clean.tried, clean.files)


def test_windows_longer_than_the_history_are_one_and_the_first_of_equals_is_taken() -> None:
    found = fit(rows(None).iloc[-40 * 24 :], spec(("200d", "300d", "all")), PARAMS, None)
    assert found.window == "200d"
    assert len({one.loss for one in found.tried}) == 1


def test_a_window_that_cannot_be_fitted_is_passed_over_with_the_reason() -> None:
    frame = rows(None)
    age = (frame["event_time"].iloc[-1] - frame["event_time"]) / timedelta(days=1)
    frame["y"] = ((frame["a"] > 0) & (age > 30)).astype(int) | (age < 3).astype(int)  # the month before has one class only
    found = fit(frame, spec(("20d", "all"), "binary"), Params(seed=0), None)
    assert found.window == "all"
    assert found.tried[0].loss is None
    assert "two values" in found.tried[0].why


def test_without_rows_to_choose_on_the_remedy_is_named() -> None:
    with pytest.raises(UsageError, match=r"Shorten train\.choose_on"):
        fit(rows(None), spec(("20d", "60d"), choose_on="200d"), PARAMS, None)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"window": ["20d"]}, "without brackets"),
        ({"window": ["20d", "20d"]}, "all different"),
        ({"window": "20d", "choose_on": "5d"}, "take choose_on out"),
    ],
)
def test_a_choice_that_is_none_is_refused(train: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**train)


def test_how_far_back_a_fit_can_reach_counts_the_rows_that_choose() -> None:
    assert spec("20d").train.reach == timedelta(days=20)
    assert spec(("20d", "60d"), choose_on="5d").train.reach == timedelta(days=65)
    assert spec(("20d", "60d")).train.reach == timedelta(days=62)  # as long as the holdout, where nothing is said
    assert spec().train.reach is None
    assert [window_name(one) for one in spec().train.windows] == ["20d", "60d", "all"]
