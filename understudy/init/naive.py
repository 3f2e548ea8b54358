"""The error of a model that knows nothing: what a candidate must beat on the rows held out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def naive_error(fitted: pd.Series, held_out: pd.Series, task: str) -> float:
    """Return the mean absolute error of always answering the median, or the log loss of always answering the classes' shares.

    Args:
        fitted: targets of the rows before the holdout.
        held_out: targets of the rows held out.
        task: regression, binary or multiclass.
    """
    if task == "regression":
        return float((held_out - fitted.median()).abs().mean())
    counts = fitted.value_counts()
    classes = set(fitted.unique()) | set(held_out.unique())
    shares = {value: (counts.get(value, 0) + 1) / (len(fitted) + len(classes)) for value in classes}
    return float(-np.log(held_out.map(shares).astype("float64")).mean())


def rounded(value: float, digits: int, *, up: bool = False) -> float:
    """Return a number with few digits, as people write limits.

    >>> rounded(120.34, 3, up=True), rounded(2.4071, 2)
    (121.0, 2.4)
    """
    if value == 0 or not math.isfinite(value):
        return 0.0
    scale = 10.0 ** (digits - 1 - math.floor(math.log10(abs(value))))
    return float(f"{(math.ceil(value * scale) if up else round(value * scale)) / scale:.{digits + 1}g}")
