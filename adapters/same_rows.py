"""Which rows of one table are in another too, though a column was read as another kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype


def same_rows(rows: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Return for each row whether one of the others has the same values in all columns that both tables have.

    >>> same_rows(pd.DataFrame({"a": [1, 2, 3]}), pd.DataFrame({"a": [3.0, 1.0], "b": "x"})).tolist()
    [True, False, True]
    """
    names = [name for name in rows.columns if name in others.columns]
    pairs = {name: _alike(rows[name], others[name]) for name in names}
    here = pd.DataFrame({name: one.reset_index(drop=True) for name, (one, _) in pairs.items()})
    there = pd.DataFrame({name: other.reset_index(drop=True) for name, (_, other) in pairs.items()})
    return pd.util.hash_pandas_object(here, index=False).isin(pd.util.hash_pandas_object(there, index=False)).to_numpy()


def _alike(one: pd.Series, other: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Give two columns one kind."""
    if one.dtype == other.dtype:
        return one, other
    if is_datetime64_any_dtype(one.dtype) and is_datetime64_any_dtype(other.dtype):
        return one.dt.as_unit("us"), other.dt.as_unit("us")
    if is_numeric_dtype(one.dtype) and is_numeric_dtype(other.dtype):
        return _floats(one), _floats(other)
    return one.astype("string").fillna("").astype("str"), other.astype("string").fillna("").astype("str")


def _floats(column: pd.Series) -> pd.Series:
    return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan))
