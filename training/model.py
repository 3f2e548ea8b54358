"""A model fitted on rows: the estimator of the spec with its pinned parameters, on the columns as clients send them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from contracts.errors import UsageError
from contracts.package import ColumnType
from contracts.spec import Params, PipelineSpec
from training.batches import cut, joined_types, learn, takes_batches
from training.compare import Answers
from training.features import build_estimator
from training.threads import threads_for

_DTYPES: dict[ColumnType, str] = {"float": "float64", "int": "float64", "str": "object", "bool": "bool"}


def fit_model(rows: pd.DataFrame, spec: PipelineSpec, params: Params, feature_code: str | None) -> tuple[Any, dict[str, ColumnType]]:
    """Return a model fitted on all of these rows, and the types of its input columns.

    Raises:
        UsageError: the rows cannot be fitted. SpecError: the estimator cannot be built.
    """
    if spec.train.batches is not None:
        size = spec.train.batches.rows
        return fit_batches(lambda: cut(rows, size), spec, params, feature_code)
    model = build_estimator(spec, params)
    types = column_types(rows, spec)
    _check_numbers(types, spec)
    _check_target(rows[spec.columns.target], spec)
    _fit(model, _inputs(rows, types, spec, feature_code), rows[spec.columns.target], spec)
    return model, types


def fit_batches(
    batches: Callable[[], Iterator[pd.DataFrame]], spec: PipelineSpec, params: Params, feature_code: str | None
) -> tuple[Any, dict[str, ColumnType]]:
    """Return a model that has learned from rows batch by batch, and the types of its input columns.

    Args:
        batches: gives the rows in order of time, the same ones at each call.

    Raises:
        UsageError: the rows cannot be fitted. SpecError: the estimator cannot be built, or takes no batches.
    """
    rule = spec.train.batches
    if rule is None:
        raise ValueError("rows are fitted in batches where the spec asks for it")
    model = build_estimator(spec, params)
    takes_batches(model, spec)
    types: dict[str, ColumnType] = {}
    target = pd.Series(dtype="float64")
    for rows in batches():
        types = joined_types(types, column_types(rows, spec))
        told = pd.Series(rows[spec.columns.target].unique())
        target = told if target.empty else pd.concat([target, told]).drop_duplicates()
        target = target[:1] if spec.task == "regression" else target
    _check_numbers(types, spec)
    _check_target(target, spec)

    def encoded() -> Iterator[tuple[pd.DataFrame, pd.Series[Any]]]:
        for rows in batches():
            yield _inputs(rows, types, spec, feature_code), rows[spec.columns.target]

    with _said(spec):
        learn(model, encoded, None if spec.task == "regression" else sorted(target.tolist()), rule.passes)
    return model, types


def ask_model(model: Any, types: dict[str, ColumnType], rows: pd.DataFrame, spec: PipelineSpec, feature_code: str | None) -> Answers:
    """Return what a model of `fit_model` says to rows."""
    inputs = _inputs(rows, types, spec, feature_code)
    with threads_for(len(inputs)):
        if spec.task == "regression":
            return Answers(np.asarray(model.predict(inputs), dtype=np.float64))
        said = model.predict_proba(inputs)
    return Answers(said[:, 1] if spec.task == "binary" else said, tuple(model.classes_.tolist()))


def _inputs(rows: pd.DataFrame, types: dict[str, ColumnType], spec: PipelineSpec, feature_code: str | None) -> pd.DataFrame:
    inputs = prepare(rows, types)
    if feature_code is None or spec.train.features is None:
        return inputs
    return _built(feature_code, spec.train.features, inputs)


def _fit(model: Any, inputs: pd.DataFrame, target: pd.Series[Any], spec: PipelineSpec) -> None:
    with _said(spec), threads_for(len(inputs)):
        model.fit(inputs, target)


@contextmanager
def _said(spec: PipelineSpec) -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # scikit-learn's word for a value or a parameter that it does not take
        said = next((line for line in str(error).splitlines() if line.strip()), repr(error)).rstrip(".")
        raise UsageError(
            f"{spec.train.estimator} could not be fitted: {said}.", "Mend params.yaml, columns.features or the data."
        ) from error


def _check_numbers(types: dict[str, ColumnType], spec: PipelineSpec) -> None:
    for name in spec.columns.features.numeric:
        if types[name] == "str":
            raise UsageError(f"Column '{name}' is a numeric feature and holds text.", "List it under columns.features.categorical.")


def _check_target(target: pd.Series[Any], spec: PipelineSpec) -> None:
    """Refuse a target that does not fit the task before an estimator fails on it in its own words."""
    found = sorted(target.unique().tolist(), key=str)
    shown = ", ".join(map(repr, found[:5])) + (", …" if len(found) > 5 else "")
    if spec.task == "binary" and len(found) != 2:
        raise UsageError(
            f"A binary target has two values, but '{spec.columns.target}' has {len(found)} in the rows to fit: {shown}.",
            "Check task and columns.target in pipeline.yaml, or fit on a longer train.window.",
        )
    if spec.task == "multiclass" and len(found) < 2:
        raise UsageError(f"'{spec.columns.target}' has only the value {shown} in the rows to fit.", "Fit on a longer train.window.")
    if spec.task == "regression" and not pd.api.types.is_numeric_dtype(target):
        raise UsageError(f"A regression target is a number, but '{spec.columns.target}' holds {shown}.", "Check task in pipeline.yaml.")


def column_types(frame: pd.DataFrame, spec: PipelineSpec) -> dict[str, ColumnType]:
    """Return the type of each feature column as clients send it."""
    return {name: _type(frame[name]) for name in spec.columns.features.all}


def _type(values: pd.Series[Any]) -> ColumnType:
    if pd.api.types.is_bool_dtype(values):
        return "bool"
    if pd.api.types.is_integer_dtype(values):
        return "int"
    return "float" if pd.api.types.is_numeric_dtype(values) else "str"


def prepare(frame: pd.DataFrame, types: dict[str, ColumnType]) -> pd.DataFrame:
    """Return the feature columns with the types that a loaded package gives them."""
    return pd.DataFrame({name: frame[name].astype(np.dtype(_DTYPES[kind])) for name, kind in types.items()})


def _built(code: str, named: str, inputs: pd.DataFrame) -> pd.DataFrame:
    """Run the pipeline's own feature code on the inputs."""
    space: dict[str, Any] = {"__name__": "features"}
    try:
        exec(compile(code, "features.py", "exec"), space)  # noqa: S102 - the pipeline's own code, from its own folder
        built: pd.DataFrame = space[named.partition(":")[2]](inputs)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise UsageError(f"The feature code {named} failed: {said}.", "Mend it; --debug shows the traceback.") from error
    return built
