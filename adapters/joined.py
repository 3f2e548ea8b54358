"""Puts tables one below the other, as if they had been read as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of all tables, at least one, in order, counted from 0; a column that is empty in one of them has no kind there."""
    if len(frames) == 1:
        return frames[0]
    kinds: dict[str, Any] = {}
    for frame in frames:
        kinds |= {str(name): dtype for name, dtype in frame.dtypes.items() if name not in kinds and not frame[name].isna().all()}
    return pd.concat([_alike(frame, kinds) for frame in frames], ignore_index=True)


def _alike(frame: pd.DataFrame, kinds: dict[str, Any]) -> pd.DataFrame:
    """Give empty columns the kind they have elsewhere, where that kind knows an empty value."""
    empty = {name: pd.Series(index=frame.index, dtype=_with_gaps(kinds[name])) for name in frame.columns if _differs(frame, name, kinds)}
    return frame.assign(**empty) if empty else frame


def _differs(frame: pd.DataFrame, name: str, kinds: dict[str, Any]) -> bool:
    return name in kinds and frame[name].dtype != kinds[name] and bool(frame[name].isna().all())


def _with_gaps(dtype: Any) -> Any:
    return "float64" if pd.api.types.is_integer_dtype(dtype) else "object" if pd.api.types.is_bool_dtype(dtype) else dtype
