"""Has a column's distribution moved further than it usually does?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from contracts.checks import Distribution
from contracts.verdict import Verdict
from data_checks.history.saying import judged, not_judged
from data_checks.history.stretches import FEWEST_ROWS, stretches, thinned


def distribution(check: Distribution, batch: pd.DataFrame, reference: pd.DataFrame, columns: list[str]) -> list[Verdict]:
    """Hold each column's distance to the reference against the greatest that a stretch of the reference had to what came before it.

    Args:
        check: how much further is allowed.
        batch: rows with event_time. reference: the same, in its order.
        columns: which ones; those that one of both does not have are not judged.
    """
    names = [name for name in columns if name in batch.columns and name in reference.columns]
    rows, past = thinned(batch), thinned(reference)
    pairs = list(stretches(reference, batch)) if len(rows) >= FEWEST_ROWS and len(past) >= FEWEST_ROWS else []
    if not pairs:
        return [not_judged("distribution", "the reference has too few stretches as long as the batch to say what is usual.")]
    return [_column(check, name, rows[name], past[name], pairs) for name in names]


def _column(check: Distribution, name: str, now: pd.Series, before: pd.Series, pairs: list[tuple[pd.DataFrame, pd.DataFrame]]) -> Verdict:
    usual = max(distance(past[name], stretch[name]) for past, stretch in pairs)
    limit, observed = min(1.0, usual + check.room), distance(before, now)
    reason = (
        f"{name} is {observed:.0%} away from the reference; its own stretches were up to {usual:.0%} away from what came before, "
        f"and at most {limit:.0%} are allowed."
    )
    return judged(f"distribution({name})", check, observed, limit, len(now), reason, met=observed <= limit)


def distance(before: pd.Series, now: pd.Series) -> float:
    """Return how far two samples of a column are apart, from 0 to 1: the share of rows that would have to change.

    For numbers Kolmogorov and Smirnov's distance, for all else the total variation; missing values are one value more.

    >>> distance(pd.Series([1.0, 2.0, 3.0, 4.0]), pd.Series([10.0, 20.0, 30.0, 40.0]))
    1.0
    >>> distance(pd.Series(["a", "a", "b", "b"]), pd.Series(["a", "a", "c", "c"]))
    0.5
    """
    missing = abs(float(before.isna().mean()) - float(now.isna().mean()))
    if pd.api.types.is_numeric_dtype(before.dtype) and pd.api.types.is_numeric_dtype(now.dtype) and before.nunique() > 2:
        return max(missing, _steps(before.dropna().to_numpy(dtype=np.float64), now.dropna().to_numpy(dtype=np.float64)))
    was, share = (one.value_counts(normalize=True, dropna=False) for one in _alike(before, now))
    either = was.index.union(share.index)
    return float((was.reindex(either, fill_value=0.0) - share.reindex(either, fill_value=0.0)).abs().sum()) / 2


def _alike(before: pd.Series, now: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return both as texts, unless they are whole numbers of one kind, which can be counted as they are."""
    if before.dtype == now.dtype and pd.api.types.is_integer_dtype(before.dtype):
        return before, now
    return before.astype("string").fillna(""), now.astype("string").fillna("")


def _steps(before: np.ndarray, now: np.ndarray) -> float:
    if not len(before) or not len(now):
        return 0.0
    points = np.sort(np.concatenate([before, now]))  # looking up in order is several times quicker
    below = [np.searchsorted(np.sort(one), points, side="right") / len(one) for one in (before, now)]
    return float(np.abs(below[0] - below[1]).max())
