"""Learning batch by batch: every row, category and class counts, wherever it stands; what cannot learn so is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import SGDRegressor
from sklearn.preprocessing import StandardScaler

from contracts.columns import EVENT_TIME
from contracts.errors import SpecError, UsageError
from contracts.spec import Params, PipelineSpec
from training.fit import fit
from training.model import ask_model, fit_model

SGD = "sklearn.linear_model.SGDRegressor"


def spec(estimator: str = SGD, task: str = "regression", **train: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "rows",
            "task": task,
            "source": {"kind": "file", "path": "x.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["a", "n"], "categorical": ["shop"]}},
            "train": {"holdout": "1h", "estimator": estimator, "batches": {"rows": 100}, **train},
            "gates": [{"metric": "mae" if task == "regression" else "log_loss", "max": 100}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error" if task == "regression" else "log_loss"}]},
        }
    )


def rows(count: int = 1050) -> pd.DataFrame:
    """`n` has holes in one batch only, `west` comes only at the end."""
    draw = np.random.default_rng(2)
    a = draw.normal(50, 10, count)
    shop = np.where(np.arange(count) > 990, "west", draw.choice(["north", "south"], count))
    n = pd.Series(draw.integers(0, 9, count))
    y = 2 * (a - 50) + 30 * (shop == "west") + draw.normal(0, 0.1, count)
    return pd.DataFrame(
        {EVENT_TIME: pd.date_range("2026-01-01", periods=count, freq="1min", tz="UTC"), "a": a, "n": n, "shop": shop, "y": y}
    )


def test_a_model_that_learned_in_batches_is_the_one_that_is_made_by_hand() -> None:
    frame = rows().drop(columns="shop").assign(shop="north")
    model, _ = fit_model(frame, spec(batches={"rows": 100, "passes": 2}), Params(seed=7), None)
    numbers = frame[["a", "n"]].astype("float64")
    scaler = StandardScaler()
    for start in range(0, len(frame), 100):
        scaler.partial_fit(numbers[start : start + 100])
    by_hand = SGDRegressor(random_state=7)
    for _ in range(2):
        for start in range(0, len(frame), 100):
            inputs = np.column_stack([scaler.transform(numbers[start : start + 100]), np.ones(len(numbers[start : start + 100]))])
            by_hand.partial_fit(inputs, frame["y"][start : start + 100])
    assert np.array_equal(model.named_steps["estimator"].coef_, by_hand.coef_)
    assert scaler.mean_ == pytest.approx(numbers.mean().to_numpy())


def test_a_category_that_only_the_last_rows_have_is_learned() -> None:
    wanted = spec(batches={"rows": 100, "passes": 20})
    model, types = fit_model(rows(), wanted, Params(), None)
    asked = rows().tail(40)
    said = ask_model(model, types, asked, wanted, None).values
    assert types == {"a": "float", "n": "int", "shop": "str"}
    assert np.abs(said - asked["y"]).mean() < 6, "30 without the category"


@pytest.mark.slow
def test_classes_that_a_batch_lacks_are_known_and_a_fit_gives_the_same_bytes_again() -> None:
    frame = rows()
    frame["y"] = np.where(frame["shop"] == "west", "few", np.where(frame["a"] > 50, "high", "low"))
    wanted = spec("sklearn.linear_model.SGDClassifier", "multiclass", batches={"rows": 100, "passes": 20})
    params = Params(estimator={"loss": "log_loss"})
    first, again = (fit(frame, wanted, params, None) for _ in range(2))
    assert first.files == again.files
    model, types = fit_model(frame, wanted, params, None)
    said = ask_model(model, types, frame, wanted, None)
    assert said.classes == ("few", "high", "low")
    assert (np.asarray(said.classes)[said.values.argmax(axis=1)] == frame["y"]).mean() > 0.9


@pytest.mark.parametrize("estimator", ["sklearn.linear_model.Ridge", "sklearn.ensemble.HistGradientBoostingRegressor"])
def test_an_estimator_that_takes_no_batches_is_refused_in_one_sentence(estimator: str) -> None:
    with pytest.raises(SpecError, match=rf"train.batches: {estimator} takes no batches, for it has no partial_fit"):
        fit_model(rows(), spec(estimator), Params(), None)


def test_what_cannot_be_fitted_is_said_as_without_batches() -> None:
    with pytest.raises(UsageError, match="A regression target is a number"):
        fit_model(rows().assign(y="much"), spec(), Params(), None)
    with pytest.raises(UsageError, match="could not be fitted: "):
        fit_model(rows().assign(a=lambda frame: frame["a"].where(frame.index != 5)), spec(), Params(), None)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ({"sample": {"rows": 5}}, "train.sample fits some rows of the window and train.batches all"),
        ({"window": ["1d", "all"]}, "train.batches goes through one window"),
    ],
)
def test_what_does_not_go_together_is_refused(train: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        spec(**train)
