"""What the gateway answers to MLflow's forms is what MLflow's own server answers with the same model, types included."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters.package_store import load_files, write_package
from adapters.registry.mlflow_model import write_mlflow_model
from contracts.package import Manifest
from contracts.spec import Params
from serving.engine import choose_engine
from serving.scoring import read_csv, read_output, read_scoring, write_predictions
from tests.serving.gateway.world import rows, spec
from training.fit import fit

NAMES = ["a", "b", "kind"]
TABLE = [[0.5, 3, "x"], [1.5, 4, "never seen"]]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in TABLE]
SPLIT = {"dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in TABLE]}}
FORMS: tuple[dict[str, Any], ...] = (
    SPLIT,
    {"dataframe_records": RECORDS},
    {"instances": RECORDS},
    {"inputs": {name: [row[place] for row in TABLE] for place, name in enumerate(NAMES)}},
    SPLIT | {"params": {"more": 1}},
)
CSV = "kind,b,a\nx,3,0.5\nnever seen,4,1.5\n"


@pytest.mark.parametrize(
    ("task", "estimator"),
    [
        ("regression", "sklearn.ensemble.HistGradientBoostingRegressor"),
        ("binary", "sklearn.linear_model.LogisticRegression"),
        ("multiclass", "sklearn.tree.DecisionTreeClassifier"),
    ],
)
def test_every_form_is_answered_as_mlflow_answers_it(tmp_path: Path, task: str, estimator: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
        import mlflow.pyfunc
        from mlflow.pyfunc.scoring_server import invocations

        frame = rows(0.0)
        if task != "regression":
            frame["y"] = pd.cut(frame["y"], 2 if task == "binary" else 3, labels=["low", "middle", "high"][: 2 if task == "binary" else 3])
            frame["y"] = frame["y"].astype(str)
        one = fit(frame, spec("p", task, estimator, None), Params(estimator={"max_depth": 3} if "Tree" in estimator else {}), None)
        package = write_package(tmp_path / "package", one.files)
        write_mlflow_model(tmp_path / "model", package, one.held_out[NAMES].head(2), model_id="m", run_id="r", digest="d")
        model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
        loaded = load_files(one.files, "d")
        predict, _ = choose_engine(loaded)
        schema = model.metadata.get_input_schema()
        for body in FORMS:
            theirs = invocations(json.dumps(body), "application/json", model, schema)
            ours = write_predictions(predict(read_scoring(body, loaded.manifest)), loaded.manifest, read_output(body))
            assert_same(theirs, ours, loaded.manifest)
        theirs = invocations(CSV, "text/csv", model, schema)
        assert_same(theirs, write_predictions(predict(read_csv(CSV, loaded.manifest)), loaded.manifest), loaded.manifest)


def assert_same(theirs: Any, ours: list[Any], manifest: Manifest) -> None:
    assert theirs.status == 200, theirs.response
    assert theirs.response == json.dumps({"predictions": ours}), manifest.task
