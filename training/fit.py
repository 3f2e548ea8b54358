"""Which rows are fitted, which are held out, and the fit itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.errors import UsageError
from contracts.package import ColumnType, Manifest
from contracts.spec import Params, PipelineSpec
from training.features import build_estimator
from training.package import package_files
from training.threads import threads_for

_DTYPES: dict[ColumnType, str] = {"float": "float64", "int": "float64", "str": "object", "bool": "bool"}


@dataclass(frozen=True, slots=True)
class Split:
    """Rows in time order: `fitted` end at `cutoff`, `held_out` begin after it."""

    fitted: pd.DataFrame
    held_out: pd.DataFrame
    cutoff: datetime


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model as a package, and the rows it has not seen."""

    files: dict[str, bytes]
    held_out: pd.DataFrame
    cutoff: datetime
    fitted_rows: int


def split(frame: pd.DataFrame, spec: PipelineSpec) -> Split:
    """Hold out the newest `train.holdout` of a snapshot and keep `train.window` before it.

    Args:
        frame: a snapshot's rows with event_time, in any order.

    Raises:
        UsageError: nothing is left to fit on or to hold out.
    """
    rows = frame.dropna(subset=[spec.columns.target]).sort_values(EVENT_TIME, kind="stable")
    if rows.empty:
        raise UsageError("The snapshot has no labelled row.", "Ingest more data, or check columns.target.")
    edge = rows[EVENT_TIME].iloc[-1] - spec.train.holdout
    held_out, fitted = rows[rows[EVENT_TIME] > edge], rows[rows[EVENT_TIME] <= edge]
    if isinstance(spec.train.window, timedelta):
        fitted = fitted[fitted[EVENT_TIME] > edge - spec.train.window]
    if fitted.empty:
        raise UsageError(
            f"train.holdout ({spec.train.holdout}) holds out every row of the snapshot.",
            "Shorten train.holdout, or ingest a longer history.",
        )
    if held_out.empty:
        raise UsageError(f"train.holdout ({spec.train.holdout}) holds out no row of the snapshot.", "Lengthen train.holdout.")
    return Split(fitted, held_out, fitted[EVENT_TIME].iloc[-1].to_pydatetime())


def fit(frame: pd.DataFrame, spec: PipelineSpec, params: Params, feature_code: str | None) -> Fit:
    """Fit the spec's estimator; the same rows, spec and parameters give the same bytes."""
    parts = split(frame, spec)
    model = build_estimator(spec, params)
    types = column_types(parts.fitted, spec)
    _check_numbers(types, spec)
    _check_target(parts.fitted[spec.columns.target], spec)
    inputs = prepare(parts.fitted, types)
    if feature_code is not None and spec.train.features is not None:
        inputs = _built(feature_code, spec.train.features, inputs)
    _fit(model, inputs, parts.fitted[spec.columns.target], spec)
    manifest = Manifest(
        pipeline=spec.name,
        task=spec.task,
        target=spec.columns.target,
        columns=types,
        features=spec.train.features,
        classes=() if spec.task == "regression" else tuple(model.classes_.tolist()),
        cutoff=parts.cutoff.isoformat(),
    )
    return Fit(package_files(model, manifest, feature_code), parts.held_out, parts.cutoff, len(parts.fitted))


def _fit(model: Any, inputs: pd.DataFrame, target: pd.Series[Any], spec: PipelineSpec) -> None:
    try:
        with threads_for(len(inputs)):
            model.fit(inputs, target)
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
