"""The product's own monitors of inputs, by the functions that the monitor flow calls."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks.drift.windows import CATEGORICAL, NUMERIC
from benchmarks.peers.drift_runner import main
from contracts.events import Finding, Severity
from contracts.spec import Features, Monitors
from monitoring.data_drift import categories, data_drift, unseen_categories
from monitoring.multivariate_drift import multivariate_drift

FEATURES = Features(numeric=list(NUMERIC), categorical=list(CATEGORICAL))
TESTS = Monitors(min_effect=0.0, min_auc=0.5)  # every significant change counts, as it does for the peers
_AS_SHIPPED = Monitors()


def look(reference: pd.DataFrame, window: pd.DataFrame, limits: Monitors) -> tuple[Finding, ...]:
    """Return what the monitors of single columns say about the inputs."""
    known = categories(reference, FEATURES.categorical)
    return (*data_drift(reference, window, FEATURES, limits), *unseen_categories(known, window))


def judge(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    """Return 1 for each finding that alarms: by test alone ("columns ...", "classifier"), where an unseen category counts however rare;
    and as shipped."""
    columns, apart = look(reference, window, TESTS), multivariate_drift(reference, window, FEATURES, TESTS)
    return (
        {f"columns {one.monitor} {one.subject}": float(_loud(one) or one.monitor == "unseen") for one in columns}
        | {"classifier": float(any(_loud(one) for one in apart))}
        | {f"shipped {one.monitor} {one.subject}": float(_loud_as_shipped(one)) for one in (*columns, *apart)}
    )


def _loud_as_shipped(one: Finding) -> bool:
    """Return what the same finding says where its effect must be as large as by default."""
    least = {"unseen": 0.0, "multivariate_drift": _AS_SHIPPED.min_auc}.get(one.monitor, _AS_SHIPPED.min_effect)
    return _loud(one) and (one.observed or 0.0) >= least


def _loud(one: Finding) -> bool:
    return one.severity is not Severity.INFO


def _single(reference: pd.DataFrame, window: pd.DataFrame) -> dict[str, float]:
    return {f"{one.monitor} {one.subject}": float(_loud(one)) for one in look(reference, window, _AS_SHIPPED)}


def _prepare(table: Any) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame


if __name__ == "__main__":
    main(_prepare, {"all": judge, "columns": _single}, ("columns",), only_timed=("columns",))
