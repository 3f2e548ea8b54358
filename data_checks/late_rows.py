"""Rows behind the watermark that were read again: late ones, corrections, and those that are known already."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True)
class Late:
    """What was read again, and is not known.

    Attributes:
        rows: late rows and corrections, in the order in which they were read.
        corrected: the keys of those whose key is known, as `keys_of` writes them.
        known: how many rows are known already, or were set aside before, and are dropped.
    """

    rows: pd.DataFrame
    corrected: frozenset[str]
    known: int


def late_rows(known: pd.DataFrame, read: pd.DataFrame, key: Sequence[str], aside: Container[str], filled: Collection[str] = ()) -> Late:
    """Hold rows that were read again against those that are known; of rows with one key the last one counts.

    Args:
        known: the rows of the snapshot in the same time, one a key.
        read: what the source has there now.
        key: columns that identify a row, at least one.
        aside: fingerprints of rows that were set aside before.
        filled: columns that the source does not have any more: they say nothing, and a correction keeps what is known.
    """
    newest = read.drop_duplicates(list(key), keep="last")
    places = pd.Index(keys_of(known, key)).get_indexer(pd.Index(keys_of(newest, key)))
    found = places >= 0
    then = known.iloc[np.where(found, places, 0)].reset_index(drop=True) if len(known) else known.reindex(range(len(newest)))
    now = newest.reset_index(drop=True)
    same = found.copy()
    for name in now.columns.difference(list(filled)):
        same &= _equal(now[name], then[name]) if name in then else now[name].isna().to_numpy()
    for name in filled:
        if name in then:
            now[name] = then[name].where(found)
    rows = now[~same]
    judged = np.array([mark in aside for mark in fingerprints(rows)], dtype=bool)
    kept = rows[~judged].reset_index(drop=True)
    corrected = keys_of(now[found & ~same], key)
    return Late(kept, frozenset(corrected), len(read) - len(kept))


def fingerprints(rows: pd.DataFrame) -> list[str]:
    """Return a short digest of each row's values, whatever the order and the kinds of its columns.

    >>> fingerprints(pd.DataFrame({"a": [1], "b": ["x"]})) == fingerprints(pd.DataFrame({"b": ["x"], "a": [1.0]}))
    True
    """
    names = sorted(map(str, rows.columns))
    texts = pd.DataFrame({name: _text(rows[name]) for name in names}, index=rows.index)
    return [hashlib.blake2b("\x1f".join(row).encode(), digest_size=8).hexdigest() for row in texts.itertuples(index=False, name=None)]


def keys_of(rows: pd.DataFrame, key: Sequence[str]) -> list[str]:
    """Write each row's key as one text."""
    return ["\x1f".join(one) for one in zip(*(_text(rows[name]) for name in key), strict=True)]


def _equal(now: pd.Series, then: pd.Series) -> np.ndarray:
    empty = now.isna().to_numpy(), then.isna().to_numpy()
    whole = now.dtype == then.dtype and pd.api.types.is_integer_dtype(now.dtype)  # as floats, large ones would be equal too early
    alike = (now == then) if whole else (_text(now) == _text(then))
    return np.asarray((empty[0] & empty[1]) | (alike.to_numpy(dtype=bool, na_value=False) & ~empty[0] & ~empty[1]))


def _text(column: pd.Series) -> pd.Series:
    """Write values so that 5, 5.0 and '5' are the same."""
    if pd.api.types.is_float_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        written = [repr(int(one)) if one.is_integer() else repr(one) for one in values.tolist()]
        return pd.Series(written, index=column.index, dtype="str")
    return column.astype("string").fillna("").astype("str")
