"""Multivariate drift: can a classifier tell the window's rows from the reference's, by all columns together?

It sees what no single column shows (stats/classifier_test.py). A word is said only where the area under its ROC curve on held-out rows is
above 0.5 by test and `min_auc` or more by size; the columns that told the rows apart are named.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.events import Finding, Severity
from contracts.spec import Features, Monitors
from monitoring.column import coded
from monitoring.reference import thinned
from stats.classifier_test import Told, tell_apart

_MOST = 20_000  # rows of each side: more would only make a p-value smaller for which no effect size is large enough
_LEAST_BLOCKS = 6
_NAMED = 3
_WORTH_NAMING = 0.1  # of the most important column's importance


def multivariate_drift(
    reference: pd.DataFrame,
    window: pd.DataFrame,
    features: Features,
    limits: Monitors,
    times: tuple[pd.Series, pd.Series] | None = None,
) -> tuple[Finding, ...]:
    """Return one finding: `warn` where window and reference can be told apart, with the columns that did it.

    Args:
        reference, window: the feature columns, one row each.
        times: (n,) and (m,) event times: rows of one day belong together, or of one hour where there are few days, and are held out
            together. Without them rows are taken as independent.
    """
    least = max(limits.min_rows, 8)
    if min(len(reference), len(window)) < least:
        reason = f"{len(window)} rows against {len(reference)} of the reference; {least} of each are needed"
        return (Finding("multivariate_drift", "rows", Severity.INFO, None, None, None, len(window), reason),)
    (before, after), categorical = coded((thinned(reference, _MOST), thinned(window, _MOST)), features)
    blocks = None if times is None else _blocks(thinned(times[0], _MOST), thinned(times[1], _MOST))
    told = tell_apart(before, after, categorical, blocks, alpha=limits.fdr)
    return (_finding(told, features.all, limits),)


def _finding(told: Told, names: list[str], limits: Monitors) -> Finding:
    p_value, effect = told.auc.p_value, told.auc.value
    moved = p_value <= limits.fdr and effect >= limits.min_auc
    verb = f"can be told from the reference, by {', '.join(_used(told, names))}" if moved else "look like the reference"
    reason = f"rows {verb}: area under the curve {effect:.3f} (limit {limits.min_auc:g}, 0.5 is by chance), p {p_value:.2g}"
    severity = Severity.WARN if moved else Severity.INFO
    return Finding("multivariate_drift", "rows", severity, effect, limits.min_auc, p_value, told.rows, reason)


def _used(told: Told, names: list[str]) -> list[str]:
    order = np.argsort(-told.importance, kind="stable")[:_NAMED]
    least = max(told.importance[order[0]] * _WORTH_NAMING, 0.0)
    return [names[index] for index in order if index == order[0] or told.importance[index] > least]


def _blocks(reference: pd.Series, window: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return numbers of days, or hours, of which both sides have enough; None where there are too few of either."""
    for unit in ("D", "h"):
        numbers = [times.dt.floor(unit).astype("int64").to_numpy() for times in (reference, window)]
        if min(len(np.unique(one)) for one in numbers) >= _LEAST_BLOCKS:
            return numbers[0], numbers[1]
    return None
