"""Data and settings that cannot be fitted are answered with what, where and what to do, and never with a library's traceback."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from contracts.errors import SpecError, UnderstudyError, UsageError
from contracts.spec import Params, PipelineSpec
from training.fit import fit


def spec(task: str = "regression", estimator: str = "Ridge", features: str | None = None, **train: Any) -> PipelineSpec:
    regression = task == "regression"
    return PipelineSpec.model_validate(
        {
            "name": "demand",
            "task": task,
            "source": {"kind": "file", "path": "rows.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["a"], "categorical": ["kind"]}},
            "train": {"holdout": "1d", "estimator": f"sklearn.linear_model.{estimator}", "features": features, **train},
            "gates": [{"metric": "mae" if regression else "log_loss", "max": 10}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error" if regression else "log_loss"}]},
        }
    )


def rows(**columns: Any) -> pd.DataFrame:
    count = 72
    times = pd.date_range("2026-01-01", periods=count, freq="1h", tz="UTC")
    return pd.DataFrame({"event_time": times, "a": np.arange(count) / 7, "kind": ["x", "y"] * 36, "y": np.arange(count) * 1.0} | columns)


BINARY = {"task": "binary", "estimator": "LogisticRegression"}
CASES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str, str]] = [
    ({}, {"y": np.nan}, {}, "The snapshot has no labelled row.", "Ingest more data"),
    ({}, {"a": "many"}, {}, "Column 'a' is a numeric feature and holds text.", "List it under columns.features.categorical."),
    ({}, {"y": "many"}, {}, "A regression target is a number, but 'y' holds 'many'.", "Check task in pipeline.yaml."),
    ({}, {"a": [np.nan, *range(71)]}, {}, "sklearn.linear_model.Ridge could not be fitted: Input X contains NaN.", "Mend params.yaml"),
    ({}, {"a": np.inf}, {}, "sklearn.linear_model.Ridge could not be fitted: Input X contains infinity", "or the data."),
    (BINARY, {"y": 1}, {}, "A binary target has two values, but 'y' has 1 in the rows to fit: 1.", "a longer train.window"),
    (BINARY, {"y": [0, 1, 2] * 24}, {}, "A binary target has two values, but 'y' has 3 in the rows to fit: 0, 1, 2.", "Check task"),
    (BINARY, {}, {}, "'y' has 48 in the rows to fit: 0.0, 1.0, 10.0, 11.0, 12.0, …", "columns.target"),
    (BINARY | {"task": "multiclass"}, {"y": "a"}, {}, "'y' has only the value 'a' in the rows to fit.", "a longer train.window"),
    ({}, {}, {"alpha": -1}, "sklearn.linear_model.Ridge could not be fitted: The 'alpha' parameter of Ridge must be", "Mend params.yaml"),
    (
        {},
        {},
        {"alhpa": 1},
        "params.yaml: estimator: Ridge.__init__() got an unexpected keyword argument 'alhpa'",
        "See the parameters of Ridge.",
    ),
    (
        {"estimator": "Rigde"},
        {},
        {},
        "pipeline.yaml: train.estimator: 'sklearn.linear_model.Rigde' cannot be imported",
        "Write its full path",
    ),
    ({"holdout": "30d"}, {}, {}, "holds out every row of the snapshot.", "Shorten train.holdout"),
    ({"holdout": "0s"}, {}, {}, "holds out no row of the snapshot.", "Lengthen train.holdout."),
]


@pytest.mark.parametrize(("of_spec", "columns", "params", "message", "remedy"), CASES, ids=[case[3][:40] for case in CASES])
def test_what_cannot_be_fitted_is_said_with_a_remedy(
    of_spec: dict[str, Any], columns: dict[str, Any], params: dict[str, Any], message: str, remedy: str
) -> None:
    with pytest.raises((UsageError, SpecError)) as caught:
        fit(rows(**columns), spec(**of_spec), Params(estimator=params), None)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def build(frame):\n    return frame.assign(a=frame['nothing'])\n",
            "The feature code features:build failed: KeyError: 'nothing'.",
        ),
        ("def other(frame):\n    return frame\n", "The feature code features:build failed: KeyError: 'build'."),
        ("def build(frame)\n", "The feature code features:build failed: SyntaxError: expected ':' (features.py, line 1)."),
        ("def build(frame):\n    return frame[['kind']]\n", "could not be fitted: "),
    ],
)
def test_feature_code_that_fails_is_named_with_what_it_raised(code: str, message: str) -> None:
    with pytest.raises(UnderstudyError) as caught:
        fit(rows(), spec(features="features:build"), Params(), code)
    assert message in caught.value.message
