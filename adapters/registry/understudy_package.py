"""Loads a package as an MLflow model; shipped inside each registered model, so it imports nothing of Understudy.

MLflow calls `_load_pyfunc` with the package's folder, wherever the model is loaded: a notebook, a batch job, `mlflow models serve`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_DTYPES = {"float": "float64", "int": "float64", "bool": "bool"}


class PackagedModel:
    """A package behind MLflow's `predict`."""

    def __init__(self, manifest: dict[str, Any], model: Any, build: Callable[[pd.DataFrame], pd.DataFrame] | None) -> None:
        self._manifest = manifest
        self._model = model
        self._build = build

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> np.ndarray:  # noqa: ARG002 - MLflow's signature
        """Answer rows: values, probabilities of the second class, or (n, k) probabilities."""
        inputs = pd.DataFrame({name: _column(model_input[name], kind) for name, kind in self._manifest["columns"].items()})
        built = inputs if self._build is None else self._build(inputs)
        if self._manifest["task"] == "regression":
            return np.asarray(self._model.predict(built), dtype=np.float64)
        chances = np.asarray(self._model.predict_proba(built), dtype=np.float64)
        return chances[:, 1] if self._manifest["task"] == "binary" else chances


def _column(values: pd.Series, kind: str) -> pd.Series:
    if kind == "str":
        return values.astype("object").where(values.notna(), np.nan)  # NaN is what stood for missing when the model was fitted
    return values.astype(np.dtype(_DTYPES[kind]))


def _load_pyfunc(path: str) -> PackagedModel:
    import skops.io

    folder = Path(path)
    manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    model = skops.io.load(folder / "model.skops", trusted=manifest["trusted"])
    if manifest["features"] is None:
        return PackagedModel(manifest, model, None)
    space: dict[str, Any] = {"__name__": "understudy_features"}
    exec(compile((folder / "features.py").read_text(encoding="utf-8"), "features.py", "exec"), space)  # noqa: S102 - part of the model
    return PackagedModel(manifest, model, space[manifest["features"].partition(":")[2]])
