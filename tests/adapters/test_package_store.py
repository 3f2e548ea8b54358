"""What a package answers with is what it was fitted on, missing texts included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adapters.package_store import coerce, load_files
from contracts.package import package_digest
from contracts.spec import Params, PipelineSpec
from training.fit import fit


def spec(estimator: str) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "demand",
            "task": "regression",
            "source": {"kind": "file", "path": "rows.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["a"], "categorical": ["kind"]}},
            "train": {"holdout": "1d", "estimator": estimator},
            "gates": [{"metric": "mae", "max": 10}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
        }
    )


@pytest.mark.parametrize("estimator", ["sklearn.linear_model.Ridge", "sklearn.tree.DecisionTreeRegressor"])
def test_a_missing_text_is_answered_as_the_missing_text_it_was_fitted_on(estimator: str) -> None:
    frame = pd.DataFrame({"a": np.arange(300.0), "kind": ["x", None, "y"] * 100, "y": [0.0, 9.0, 0.0] * 100})
    frame["event_time"] = pd.date_range("2026-01-01", periods=300, freq="1h", tz="UTC")
    files = fit(frame, spec(estimator), Params(), None).files
    package = load_files(files, package_digest(files))
    asked = pd.DataFrame({"a": [1.0, 1.0], "kind": [None, np.nan]})
    assert coerce(asked, package.manifest)["kind"].isna().all()
    assert np.allclose(package.predict(asked), 9.0, atol=0.1)  # what was fitted on rows whose kind is missing
