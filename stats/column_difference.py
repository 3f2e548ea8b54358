"""How two samples of one column differ: a p-value and an effect size, for numbers and for categories, missing values included.

The p-value is of Neyman's smooth test for numbers and of chi-squared for categories; where values are missing, that share is tested
too and the smaller p-value counts twice (Bonferroni). The effect size is the population stability index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stats.psi import psi, psi_categories
from stats.smooth_test import smooth_p_value
from stats.truth import written
from stats.two_sample import chi2_p_value


@dataclass(frozen=True, slots=True)
class Difference:
    """The chance of as great a difference where there is none, and how great it is."""

    p_value: float
    effect: float


def column_difference(before: pd.Series, after: pd.Series) -> Difference:
    """Compare two samples of one column; it is one of numbers where every value that is not missing is a number.

    Args:
        before, after: (n,) and (m,) values, at least one each.

    >>> column_difference(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 3.0]))
    Difference(p_value=1.0, effect=0.0)
    """
    if _numeric(before) and _numeric(after):
        old, new = (pd.to_numeric(one).to_numpy(dtype=np.float64) for one in (before, after))
        old, new = (np.where(np.isfinite(one), one, np.nan) for one in (old, new))
        known = old[~np.isnan(old)], new[~np.isnan(new)]
        p_value = smooth_p_value(*known) if min(map(len, known)) else 1.0
        return Difference(_with_missing(p_value, np.isnan(old), np.isnan(new)), psi(old, new))
    was, now = (one.map(written, na_action="ignore").astype("object") for one in (before, after))
    p_value = chi2_p_value(*_counts(was, now))
    effect = psi_categories(was.to_numpy(), now.to_numpy())
    return Difference(_with_missing(p_value, was.isna().to_numpy(), now.isna().to_numpy()), effect)


def _numeric(column: pd.Series) -> bool:
    """Numbers may stand in a column of objects; truth values are categories."""
    if column.dtype == "bool" or column.map(lambda one: isinstance(one, bool | np.bool_)).any():
        return False
    return pd.api.types.is_numeric_dtype(column.dropna().infer_objects())


def _counts(was: pd.Series, now: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each sample in each category that either has."""
    counts = pd.DataFrame({"was": was.value_counts(), "now": now.value_counts()}).fillna(0).to_numpy(dtype=np.float64)
    return counts[:, 0], counts[:, 1]


def _with_missing(p_value: float, old: np.ndarray, new: np.ndarray) -> float:
    if not (old.any() or new.any()):
        return p_value
    return min(1.0, 2 * min(p_value, chi2_p_value(*_counts(pd.Series(old), pd.Series(new)))))
