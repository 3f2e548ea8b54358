"""The estimator of a pipeline: columns encoded, then the estimator named by the spec, with pinned parameters."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from contracts.errors import SpecError
from contracts.spec import Params, PipelineSpec

_TREES = ("Tree", "Forest", "Boosting")  # estimators that need no scaling and split on ordinal codes


def build_estimator(spec: PipelineSpec, params: Params) -> Any:
    """Return the unfitted scikit-learn pipeline.

    Raises:
        SpecError: the estimator cannot be imported, or does not take a parameter.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    estimator = _estimator(spec, params)
    of_trees = any(word in type(estimator).__name__ for word in _TREES)
    ordinal = spec.train.encode == "ordinal" or (spec.train.encode is None and of_trees)
    encoder = (
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
        if ordinal
        else OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    )
    features = spec.columns.features
    parts = [("numeric", "passthrough" if of_trees else StandardScaler(), features.numeric), ("categorical", encoder, features.categorical)]
    columns = ColumnTransformer([part for part in parts if part[2]], verbose_feature_names_out=False)
    return Pipeline([("columns", columns), ("estimator", estimator)])


def _estimator(spec: PipelineSpec, params: Params) -> Any:
    where = f"pipeline.yaml: train.estimator: '{spec.train.estimator}'"
    module, _, name = spec.train.estimator.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SpecError(f"{where} cannot be imported: {error}.", "Write its full path, such as sklearn.linear_model.Ridge.") from error
    arguments = dict(params.estimator)
    if "random_state" in inspect.signature(kind).parameters:
        arguments.setdefault("random_state", params.seed)
    try:
        return kind(**arguments)
    except TypeError as error:
        raise SpecError(f"params.yaml: estimator: {error}.", f"See the parameters of {name}.") from error
