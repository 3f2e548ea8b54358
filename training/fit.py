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
from training.package import package_files, untrusted_types

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
    return Split(fitted, held_out, fitted[EVENT_TIME].iloc[-1].to_pydatetime())


def fit(frame: pd.DataFrame, spec: PipelineSpec, params: Params, feature_code: str | None) -> Fit:
    """Fit the spec's estimator; the same rows, spec and parameters give the same bytes."""
    parts = split(frame, spec)
    model = build_estimator(spec, params)
    types = column_types(parts.fitted, spec)
    inputs = prepare(parts.fitted, types)
    if feature_code is not None and spec.train.features is not None:
        inputs = _features(feature_code, spec.train.features)(inputs)
    model.fit(inputs, parts.fitted[spec.columns.target])
    manifest = Manifest(
        pipeline=spec.name,
        task=spec.task,
        target=spec.columns.target,
        columns=types,
        features=spec.train.features,
        classes=() if spec.task == "regression" else tuple(model.classes_.tolist()),
        trusted=untrusted_types(model),
        cutoff=parts.cutoff.isoformat(),
    )
    return Fit(package_files(model, manifest, feature_code), parts.held_out, parts.cutoff, len(parts.fitted))


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


def _features(code: str, named: str) -> Any:
    space: dict[str, Any] = {"__name__": "features"}
    exec(compile(code, "features.py", "exec"), space)  # noqa: S102 - the pipeline's own code, from its own folder
    return space[named.partition(":")[2]]
