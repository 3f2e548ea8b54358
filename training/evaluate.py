"""Metrics on held-out rows, overall and by slice, computed by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from contracts.package import Task
from contracts.spec import METRICS_OF, MetricName

HIGHER_IS_BETTER: frozenset[str] = frozenset({"r2", "auc", "accuracy"})


def metrics_of(task: Task) -> tuple[MetricName, ...]:
    """Return the metrics that make sense for a task."""
    return METRICS_OF[task]


def evaluate(truth: np.ndarray, answers: np.ndarray, names: Iterable[str], classes: tuple[object, ...] = ()) -> dict[str, float]:
    """Return each metric by name.

    Args:
        truth: (n,) targets.
        answers: (n,) values or probabilities of the second class, or (n, k) probabilities.
        classes: labels in the order of the probabilities; empty for regression.

    A metric that needs two classes is NaN where only one is present.
    """
    return {name: float(_METRICS[name](truth, answers, classes)) for name in names}


def evaluate_slices(
    frame: pd.DataFrame, column: str, target: str, answers: np.ndarray, name: str, classes: tuple[object, ...] = ()
) -> dict[str, tuple[float, int]]:
    """Return the metric and the number of rows for every value of a column."""
    values = frame[column].astype("string").fillna("missing").to_numpy()
    truth = frame[target].to_numpy()
    found = {}
    for value in sorted(set(values)):
        here = values == value
        found[str(value)] = (evaluate(truth[here], answers[here], [name], classes)[name], int(here.sum()))
    return found


def _mae(truth: np.ndarray, answers: np.ndarray, _classes: tuple[object, ...]) -> float:
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(truth, answers))


def _rmse(truth: np.ndarray, answers: np.ndarray, _classes: tuple[object, ...]) -> float:
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(truth, answers))


def _r2(truth: np.ndarray, answers: np.ndarray, _classes: tuple[object, ...]) -> float:
    from sklearn.metrics import r2_score

    return float(r2_score(truth, answers)) if len(truth) > 1 else float("nan")


def _log_loss(truth: np.ndarray, answers: np.ndarray, classes: tuple[object, ...]) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(truth, answers, labels=list(classes)))


def _brier(truth: np.ndarray, answers: np.ndarray, classes: tuple[object, ...]) -> float:
    return float(np.mean((answers - (truth == classes[1])) ** 2))


def _auc(truth: np.ndarray, answers: np.ndarray, classes: tuple[object, ...]) -> float:
    from sklearn.metrics import roc_auc_score

    positive = truth == classes[1]
    return float(roc_auc_score(positive, answers)) if 0 < positive.sum() < len(positive) else float("nan")


def _accuracy(truth: np.ndarray, answers: np.ndarray, classes: tuple[object, ...]) -> float:
    chosen = (answers > 0.5).astype(int) if answers.ndim == 1 else answers.argmax(axis=1)
    return float(np.mean(np.asarray(classes, dtype=object)[chosen] == truth))


_METRICS: dict[str, Callable[[np.ndarray, np.ndarray, tuple[object, ...]], float]] = {
    "mae": _mae,
    "rmse": _rmse,
    "r2": _r2,
    "log_loss": _log_loss,
    "brier": _brier,
    "auc": _auc,
    "accuracy": _accuracy,
}
