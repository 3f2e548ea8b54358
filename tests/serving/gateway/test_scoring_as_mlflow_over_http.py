"""Every form of MLflow's scoring protocol, through the gateway, is answered with what `mlflow.pyfunc` answers for the same version."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adapters.package_store import load_package
from adapters.registry.mlflow_model import write_mlflow_model
from tests.serving.gateway.world import Gateway, World
from tests.serving.test_scoring_as_mlflow import CSV, FORMS, NAMES, TABLE

ALL: list[dict[str, Any]] = [{"json": body} for body in (*FORMS, {"instances": TABLE}, {"inputs": TABLE})]
ALL += [{"content": CSV, "headers": {"content-type": "text/csv"}}]


@pytest.mark.parametrize(
    ("task", "estimator"),
    [
        ("regression", "sklearn.ensemble.HistGradientBoostingRegressor"),
        ("binary", "sklearn.linear_model.LogisticRegression"),
        ("multiclass", "sklearn.tree.DecisionTreeClassifier"),
    ],
)
def test_every_form_is_answered_over_http_as_by_pyfunc(gateway: Gateway, shared: World, tmp_path: Path, task: str, estimator: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
        import mlflow.pyfunc

        name = f"scored{task}"
        made = shared.make(name, "1", task=task, estimator=estimator, params={"max_depth": 3} if "Tree" in estimator else {})
        package = shared.home / "registry" / name / "1"
        manifest = load_package(package, made.model.digest).manifest
        frame = pd.DataFrame(TABLE, columns=NAMES)
        write_mlflow_model(tmp_path / "model", package, frame, model_id="m", run_id="r", digest=made.model.digest)
        theirs = np.asarray(mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(frame)).tolist()
    assert manifest.task == task
    shared.route(name, made)
    gateway.wait_until(lambda: gateway.version(name) == "1", "serve it")
    answers = [gateway.client.post(f"/invocations?model={name}", **form) for form in ALL]
    assert [(one.status_code, one.json()) for one in answers] == [(200, {"predictions": theirs})] * len(ALL)
