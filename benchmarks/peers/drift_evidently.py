"""Evidently: its data drift preset as it comes, with Kolmogorov-Smirnov and chi-squared, and the share of missing values."""

from __future__ import annotations

from typing import Any

import pandas as pd
from drift_runner import main, surprise
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import MissingValueCount
from evidently.presets import DataDriftPreset


def _prepare(table: Any) -> Dataset:
    frame: pd.DataFrame = table.to_pandas()
    numbers = [name for name in frame if frame[name].dtype == "float64"]
    kinds = DataDefinition(numerical_columns=numbers, categorical_columns=[name for name in frame if name not in numbers])
    return Dataset.from_pandas(frame, kinds)


def _distance(reference: Dataset, window: Dataset) -> dict[str, float]:
    return dict(_values([DataDriftPreset()], reference, window))


def _tests(reference: Dataset, window: Dataset) -> dict[str, float]:
    found = _values([DataDriftPreset(num_method="ks", cat_method="chisquare")], reference, window)
    return {name: surprise(value) for name, value in found}


def _missing(reference: Dataset, window: Dataset) -> dict[str, float]:
    before = reference.as_dataframe().isna().mean()
    names = [name for name in before.index if before[name] or window.as_dataframe()[name].isna().any()]
    found = Report([MissingValueCount(column=name) for name in names]).run(window, None).dict()["metrics"] if names else []
    return {name: abs(one["value"]["share"] - before[name]) for name, one in zip(names, found, strict=True)}


def _values(metrics: list[Any], reference: Dataset, window: Dataset) -> list[tuple[str, float]]:
    found = Report(metrics).run(window, reference).dict()["metrics"]
    return [(one["metric_name"].split("column=")[1].split(",")[0], float(one["value"])) for one in found if "column=" in one["metric_name"]]


if __name__ == "__main__":
    main(_prepare, {"preset as it comes": _distance, "KS and chi²": _tests, "missing": _missing}, ("KS and chi²",))
