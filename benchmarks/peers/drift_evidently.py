"""Evidently: the drift of each column by the method it chooses itself, by Kolmogorov-Smirnov and chi-squared, and missing values.

These are the metrics of its preset without the preset's page of pictures, which would double the time.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from drift_runner import main, surprise
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import MissingValueCount, ValueDrift


def _prepare(table: Any) -> Dataset:
    frame: pd.DataFrame = table.to_pandas()
    numbers = [name for name in frame if frame[name].dtype == "float64"]
    kinds = DataDefinition(numerical_columns=numbers, categorical_columns=[name for name in frame if name not in numbers])
    return Dataset.from_pandas(frame, kinds)


def _distance(reference: Dataset, window: Dataset) -> dict[str, float]:
    return _values([ValueDrift(column=name) for name in reference.as_dataframe()], reference, window)


def _tests(reference: Dataset, window: Dataset) -> dict[str, float]:
    kinds = reference.as_dataframe().dtypes
    tests = [ValueDrift(column=name, method="ks" if kind == "float64" else "chisquare") for name, kind in kinds.items()]
    return {name: surprise(value) for name, value in _values(tests, reference, window).items()}


def _missing(reference: Dataset, window: Dataset) -> dict[str, float]:
    before = reference.as_dataframe().isna().mean()
    names = [name for name in before.index if before[name] or window.as_dataframe()[name].isna().any()]
    found = Report([MissingValueCount(column=name) for name in names]).run(window, None).dict()["metrics"] if names else []
    return {name: abs(one["value"]["share"] - before[name]) for name, one in zip(names, found, strict=True)}


def _values(metrics: list[Any], reference: Dataset, window: Dataset) -> dict[str, float]:
    found = Report(metrics).run(window, reference).dict()["metrics"]
    return {metric.column: float(one["value"]) for metric, one in zip(metrics, found, strict=True)}


if __name__ == "__main__":
    main(_prepare, {"its own choice": _distance, "KS and chi²": _tests, "missing": _missing}, ("KS and chi²",))
