"""Fitted models on their trial, and a tree walker in plain Python that everything is held against."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pandas as pd

from adapters.onnx_runtime import OnnxModel, versions_here
from adapters.package_store import coerce, load_files
from contracts.package import Parity
from contracts.spec import Params
from tests.serving.test_direct import spec
from training.fit import fit
from training.parity.formula import Ensemble, Floats, Tree
from training.parity.proof import Subject

HISTOGRAM, FOREST, LINEAR = "sklearn.ensemble.HistGradientBoosting", "sklearn.ensemble.RandomForest", "sklearn.linear_model."
MODELS: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (  # estimator, task, parameters, keys of `train`
    (f"{HISTOGRAM}Regressor", "regression", {"max_iter": 12}, {}),
    (f"{HISTOGRAM}Regressor", "regression", {"max_iter": 5, "loss": "poisson"}, {"encode": "onehot"}),
    (f"{HISTOGRAM}Classifier", "binary", {"max_iter": 12}, {"encode": "onehot"}),
    (f"{HISTOGRAM}Classifier", "multiclass", {"max_iter": 5}, {}),
    (f"{FOREST}Regressor", "regression", {"n_estimators": 6}, {}),
    (f"{FOREST}Classifier", "binary", {"n_estimators": 6}, {}),
    (f"{FOREST}Classifier", "multiclass", {"n_estimators": 4}, {"encode": "onehot"}),
    ("sklearn.ensemble.ExtraTreesRegressor", "regression", {"n_estimators": 3}, {}),
    ("sklearn.tree.DecisionTreeClassifier", "binary", {"max_depth": 4}, {}),
    (f"{LINEAR}LogisticRegression", "binary", {}, {}),
    (f"{LINEAR}LogisticRegression", "multiclass", {}, {}),
    (f"{LINEAR}Ridge", "regression", {}, {}),
    (f"{LINEAR}PoissonRegressor", "regression", {}, {}),
)


def table(task: str, count: int = 700) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=count), "b": draw.integers(0, 9, count), "grade": draw.integers(1, 5, count)})
    frame["kind"] = draw.choice(["x", "y", None], count)
    truth = frame["a"] ** 2 + frame["b"] + (frame["kind"] == "x") + draw.normal(0, 0.3, count).clip(-2)
    labels = {"binary": truth > truth.median(), "multiclass": pd.cut(truth, 3, labels=["low", "middle", "high"]).astype(str)}
    frame["y"] = labels.get(task, truth.clip(0))
    frame["event_time"] = pd.date_range("2026-01-01", periods=count, freq="1h", tz="UTC")
    return frame


@functools.cache
def package_of(at: int, code: str | None = None) -> tuple[dict[str, bytes], pd.DataFrame]:
    """Return the files and the held-out rows of a model of the table."""
    estimator, task, params, train = MODELS[at]
    named = {} if code is None else {"features": "features:build"}
    done = fit(table(task), spec(estimator, task, **train, **named), Params(estimator=params), code)
    return done.files, done.held_out


def subject_of(files: dict[str, bytes], held_out: pd.DataFrame) -> Subject:
    loaded = load_files(files, "digest")
    return Subject(loaded.manifest, loaded.model, loaded.build, coerce(held_out, loaded.manifest), versions_here())


def read_proof(files: dict[str, bytes]) -> Parity:
    return Parity.model_validate_json(files["parity.json"])


def walk(tree: Tree, row: Floats, single: bool) -> int:
    """Return the leaf of a row, as scikit-learn's source has it: float32 or float64 input against a float64 threshold."""
    node = 0
    while tree.left[node] >= 0:
        value = float(row[tree.feature[node]])
        if single:
            with np.errstate(over="ignore"):
                value = float(np.float32(value))
        left = bool(tree.missing_left[node]) if math.isnan(value) else value <= float(tree.threshold[node])
        node = int(tree.left[node] if left else tree.right[node])
    return node


def total(formula: Ensemble, row: Floats) -> Floats:
    """Return what an ensemble says without its link, added in the order of its trees."""
    found = formula.start.astype(np.float64).copy()
    for tree in formula.trees:
        found[tree.target] += tree.value[walk(tree, row, formula.single)]
    return found / formula.count


__all__ = ["MODELS", "OnnxModel", "package_of", "read_proof", "subject_of", "table", "total", "walk"]
