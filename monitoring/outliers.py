"""Outliers: how many of the window's rows are unlike the rows that trained the champion?

An isolation forest is fitted on the training rows (stats/outlier_forest.py), and its threshold set where one in a hundred of them is an
outlier. A category counts as rare as it was among the training rows. It sees values far out and rare categories; it does not see a
correlation that broke (the classifier test does), nor tell a category that no training row had from the rarest (`unseen` does).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.events import Finding, Severity
from contracts.spec import Features, Monitors
from monitoring.column import present
from monitoring.reference import thinned
from stats.outlier_forest import grow
from stats.share_interval import share_interval

SHARE = 0.01  # of the training rows that are outliers by definition
_MOST = 20_000  # rows of each side


def outlier_share(trained: pd.DataFrame, window: pd.DataFrame, features: Features, limits: Monitors) -> tuple[Finding, ...]:
    """Return one finding: `warn` where the lower bound of the window's share of outliers is above `max_outliers`.

    Args:
        trained, window: the feature columns, one row each.
    """
    least = max(limits.min_rows, round(1 / SHARE))
    if min(len(trained), len(window)) < least:
        reason = f"{len(window)} rows against {len(trained)} that trained the champion; {least} of each are needed"
        return (Finding("outliers", "rows", Severity.INFO, None, limits.max_outliers, None, len(window), reason),)
    trained, window = thinned(trained, _MOST), thinned(window, _MOST)
    before, after = _rarities(trained, window, features)
    outliers = grow(before, SHARE).outliers(after)
    found = share_interval(int(outliers.sum()), len(outliers), limits.fdr)
    severity = Severity.WARN if found.lower > limits.max_outliers else Severity.INFO
    reason = (
        f"{found.mean:.1%} of rows (between {found.lower:.1%} and {found.upper:.1%}) are outliers; {SHARE:.0%} of the training rows are "
        f"(limit {limits.max_outliers:.0%})"
    )
    return (Finding("outliers", "rows", severity, found.mean, limits.max_outliers, None, len(window), reason),)


def _rarities(trained: pd.DataFrame, window: pd.DataFrame, features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both frames as matrices; a category is the share of training rows that have it, NaN where it is missing."""
    columns: list[list[NDArray[np.float64]]] = [[], []]
    for name in features.all:
        numeric = name in features.numeric
        sides = [present(frame, name, numeric=numeric) for frame in (trained, window)]
        shares = None if numeric else sides[0].value_counts(normalize=True)
        for column, side in zip(columns, sides, strict=True):
            values = side if shares is None else side.map(shares).astype("float64").fillna(0.0).where(side.notna())
            column.append(np.asarray(values, dtype=np.float64))
    return np.column_stack(columns[0]), np.column_stack(columns[1])
