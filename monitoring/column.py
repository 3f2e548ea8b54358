"""A column as the monitors see it: numbers, or categories as they are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.spec import Features
from stats.truth import written


def present(frame: pd.DataFrame, name: str, *, numeric: bool) -> pd.Series:
    """Return a column as numbers, or as written categories; missing values stay missing, and so does a column that is absent."""
    values = frame[name] if name in frame.columns else pd.Series([None] * len(frame), dtype="object")
    if numeric:
        numbers: pd.Series = pd.to_numeric(values, errors="coerce").astype("float64")
        finite = np.isfinite(numbers.to_numpy())
        return numbers if finite.all() else numbers.where(finite)
    codes, uniques = pd.factorize(values)
    texts = np.array([*(written(one) for one in uniques), None], dtype="object")
    return pd.Series(texts[codes], dtype="object")


def counted(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return how many rows have each category, as it is written, the most frequent first; missing values are not counted."""
    counts = frame[name].value_counts() if name in frame.columns else pd.Series(dtype="int64")
    texts: Counter[str] = Counter()
    for value, rows in zip(counts.index.tolist(), counts.to_numpy().tolist(), strict=True):
        if rows:
            texts[written(value)] += rows
    ordered = sorted(texts.items(), key=lambda one: (-one[1], one[0]))
    return pd.Series([rows for _, rows in ordered], index=pd.Index([text for text, _ in ordered], dtype="object"), dtype="int64")


def coded(frames: Iterable[pd.DataFrame], features: Features) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_]]:
    """Return the features of each frame as a matrix, categories as codes that mean the same in all of them; and which columns hold codes.

    Args:
        frames: the feature columns, one row each.
    """
    parts = list(frames)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    columns = []
    for name in features.all:
        values = pd.concat([present(part, name, numeric=name in features.numeric) for part in parts], ignore_index=True)
        if name not in features.numeric:
            codes = pd.factorize(values)[0].astype("float64")
            values = pd.Series(np.where(codes < 0, np.nan, codes))
        columns.append(values.to_numpy(dtype="float64"))
    categorical = np.array([name not in features.numeric for name in features.all])
    return list(np.split(np.column_stack(columns), ends)), categorical
