"""Labels as the numbers that losses are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def coded(labels: Sequence[Any] | pd.Series, classes: Sequence[object]) -> NDArray[np.float64]:
    """Return each label as a number: itself for regression, else the index of its class; NaN where it is missing or of no known class.

    A class is known by its value or by how it is written: a label `"1"` is of the class 1, and `1.0` too.

    Args:
        labels: (n,) labels as they came.
        classes: in the order of the model's probabilities; empty for regression.

    >>> coded(["yes", "no", "perhaps"], ["no", "yes"]).tolist()
    [1.0, 0.0, nan]
    >>> coded([3, None, "2.5"], []).tolist()
    [3.0, nan, 2.5]
    """
    values = pd.Series(labels, dtype="object")
    if not classes:
        return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    index = {written(one): number for number, one in enumerate(classes)}
    known = {one: float(index.get(written(one), np.nan)) for one in values.dropna().unique()}
    return values.map(known).to_numpy(dtype=np.float64)


def written(value: object) -> str:
    """Return how a category is written, the same whether it came as a number, a truth value or text.

    >>> written(1.0), written(True), written("news")
    ('1', '1', 'news')
    """
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
