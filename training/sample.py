"""A seeded sample of rows by a hash of their key: the same rows on any machine, in whatever order and pieces they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
from pyarrow import compute

_MISSING = np.uint64(0x9E3779B97F4A7C15)
_Hashes = np.ndarray[Any, np.dtype[np.uint64]]


def key_hashes(table: pa.Table, key: Sequence[str], seed: int) -> _Hashes:
    """Return a 64-bit hash (n,) of each row's key: splitmix64 over the columns' values (Steele, Lea and Flood 2014).

    >>> key_hashes(pa.table({"id": [1, 2]}), ["id"], 7).tolist()
    [13103443362824980401, 18074882946671919669]
    """
    hashes = np.full(len(table), seed % 2**64, dtype=np.uint64)
    for name in key:
        hashes = _mixed(hashes ^ _numbers(table[name]))
    return _mixed(hashes)


class Sampler:
    """Keeps those of all rows that have the least hashes.

    Args:
        rows: how many. key: columns that tell rows apart. seed: of the hash.
        order: columns that decide between rows of one hash.
    """

    def __init__(self, rows: int, key: Sequence[str], seed: int, order: Sequence[str]) -> None:
        self._rows, self._key, self._seed, self._order = rows, key, seed, order
        self._parts: list[pa.Table] = []
        self._held = 0
        self._limit: int | None = None

    def add(self, table: pa.Table) -> None:
        """Look at further rows."""
        hashes = key_hashes(table, self._key, self._seed)
        told = table.append_column("understudy hash", pa.array(hashes))
        if self._limit is not None:
            told = told.filter(pa.array(hashes <= np.uint64(self._limit)))
        self._parts.append(told)
        self._held += len(told)
        if self._held > 2 * self._rows:
            self._cut()

    def taken(self) -> pa.Table:
        """Return the sample, in no order."""
        self._cut()
        return self._parts[0].drop_columns(["understudy hash"])

    def _cut(self) -> None:
        whole = pa.concat_tables(self._parts)
        if len(whole) > self._rows:
            names = ["understudy hash", *self._order]
            first = compute.sort_indices(whole, sort_keys=[(name, "ascending") for name in names])[: self._rows]
            whole = whole.take(first).combine_chunks()
            self._limit = int(compute.max(whole["understudy hash"]).as_py())
        self._parts, self._held = [whole], len(whole)


def _numbers(column: pa.ChunkedArray) -> _Hashes:
    """Return each value as 64 bits, which do not depend on what else is in the column."""
    kind = column.type
    missing = column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        missing, bits = missing | np.isnan(values), (np.nan_to_num(values) + 0.0).view(np.uint64)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        bits = column.cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64)
    elif pa.types.is_timestamp(kind):
        bits = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64)
    else:
        texts = np.array(column.cast(pa.string()).fill_null("").to_pylist(), dtype=object)
        bits = pd.util.hash_array(texts, categorize=False)
    return np.where(missing, _MISSING, bits)


def _mixed(bits: _Hashes) -> _Hashes:
    with np.errstate(over="ignore"):
        bits = bits + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))
