"""The way without a DataFrame gives the same bits as scikit-learn's, and is not taken where that is not proved."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adapters.package_store import LoadedPackage, load_files
from contracts.spec import Params, PipelineSpec
from serving.direct import direct_predictor, table_predictor
from training.fit import fit


def spec(estimator: str, task: str = "regression", **train: Any) -> PipelineSpec:
    features = {"numeric": ["a", "b"], "categorical": ["kind", "grade"]}
    return PipelineSpec.model_validate(
        {
            "name": "demand",
            "task": task,
            "source": {"kind": "file", "path": "rows.csv"},
            "columns": {"time": "at", "target": "y", "features": features},
            "train": {"holdout": "3d", "estimator": estimator, **train},
            "gates": [{"metric": "mae" if task == "regression" else "log_loss", "max": 10}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error" if task == "regression" else "log_loss"}]},
        }
    )


def rows(missing: bool = True) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=600), "b": draw.integers(0, 9, 600), "grade": draw.integers(1, 5, 600)})
    frame["kind"] = draw.choice(["x", "y", None] if missing else ["x", "y", "z"], 600)
    frame["y"] = draw.integers(0, 3, 600)
    frame["event_time"] = pd.date_range("2026-01-01", periods=600, freq="1h", tz="UTC")
    return frame


def package(estimator: str, task: str = "regression", missing: bool = True, code: str | None = None, **train: Any) -> LoadedPackage:
    frame = rows(missing)
    if task == "binary":
        frame["y"] = frame["y"] > 0
    params = Params(estimator={"max_iter": 10} if "HistGradient" in estimator else {})
    return load_files(fit(frame, spec(estimator, task, **train), params, code).files, "digest")


AWKWARD = {
    "a": [0.1, float("nan"), -1e308, 5e-324],
    "b": [3, float("nan"), 10**15, -1],
    "kind": ["x", None, "never seen", ""],
    "grade": [1, float("nan"), 77, 4],
}


@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize(
    ("estimator", "task", "train"),
    [
        ("sklearn.ensemble.HistGradientBoostingRegressor", "regression", {}),
        ("sklearn.ensemble.HistGradientBoostingClassifier", "binary", {}),
        ("sklearn.ensemble.HistGradientBoostingClassifier", "multiclass", {"encode": "onehot"}),
        ("sklearn.linear_model.LogisticRegression", "multiclass", {}),
        ("sklearn.linear_model.Ridge", "regression", {}),
        ("sklearn.linear_model.Ridge", "regression", {"encode": "ordinal"}),
    ],
)
def test_answers_are_the_same_bits_as_scikit_learns(estimator: str, task: str, train: dict[str, str], missing: bool):
    one = package(estimator, task, missing, **train)
    direct = direct_predictor(one)
    assert direct is not None
    columns = {name: rows()[name].tolist() for name in one.manifest.columns}
    assert np.array_equal(direct(columns), table_predictor(one)(columns))
    asked = AWKWARD if "Hist" in estimator else {name: v[:1] for name, v in AWKWARD.items()}
    assert np.array_equal(direct(asked), table_predictor(one)(asked))


def test_feature_code_is_always_given_its_table():
    one = package("sklearn.linear_model.Ridge", features="features:build", code="def build(frame):\n    return frame\n")
    assert direct_predictor(one) is None
    assert table_predictor(one)({name: [values[0]] for name, values in AWKWARD.items()}).shape == (1,)


def test_a_transformer_that_does_otherwise_than_we_read_it_is_left_to_scikit_learn(monkeypatch: pytest.MonkeyPatch):
    one = package("sklearn.ensemble.HistGradientBoostingRegressor")
    encoder = one.model.steps[0][1].transformers_[1][1]
    transform = type(encoder).transform

    def swapped(self: Any, frame: Any) -> Any:
        made = transform(self, frame)
        made[made == 1] = 5  # one known category of many is coded otherwise
        return made

    monkeypatch.setattr(type(encoder), "transform", swapped)
    assert direct_predictor(one) is None


def test_a_model_of_another_shape_is_left_to_scikit_learn():
    one = package("sklearn.linear_model.Ridge")
    assert direct_predictor(dataclasses.replace(one, model=one.model.steps[1][1])) is None
