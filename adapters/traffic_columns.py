"""Columns of a stream, gathered from live batches and from closed segments: a value a row, whichever they come from."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from adapters.traffic_closed import FRAME, NAMES, as_list


class TrafficColumns:
    """Some fields of the batches of a stream, row by row.

    Args:
        fields: of the batch; those that have one value a batch are repeated for each of its rows.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._pieces: dict[str, list[Any]] = {name: [] for name in fields}  # lists and arrow columns, in order of rows
        self._sizes: list[npt.NDArray[np.int64]] = []  # rows of each batch
        self._waiting: dict[str, list[Any]] = {name: [] for name in fields}
        self._waiting_sizes: list[int] = []

    def add_batch(self, batch: Any) -> None:
        """Add a batch as the live log has it."""
        size = len(batch.request_ids)
        self._waiting_sizes.append(size)
        for name, values in self._waiting.items():
            value = getattr(batch, name)
            if name in NAMES:
                values.extend(value or [None] * size)
            else:
                values.append(value)

    def add_closed(self, columns: dict[str, Any], stamp: str, last: int | None) -> None:
        """Add a row group of a closed segment.

        Args:
            last: rows whose stamp is later are left out.
        """
        self._flush()
        frames = columns[FRAME].to_numpy()
        kept = np.ones(len(frames), dtype=bool) if last is None else columns[stamp].to_numpy() <= last
        if not kept.any():
            return
        for name, pieces in self._pieces.items():
            values = columns[NAMES.get(name, name)]
            pieces.append(values if kept.all() else _only(values, kept))
        frames = frames[kept]
        self._sizes.append(np.diff(np.flatnonzero(np.r_[True, frames[1:] != frames[:-1], True])))

    def _flush(self) -> None:
        sizes = np.array(self._waiting_sizes, dtype=np.int64)
        if not len(sizes):
            return
        for name, values in self._waiting.items():
            if name not in NAMES:
                values = list(chain.from_iterable([value] * size for value, size in zip(values, self._waiting_sizes, strict=True)))
            self._pieces[name].append(values)
            self._waiting[name] = []
        self._sizes.append(sizes)
        self._waiting_sizes = []

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """Return a field of whole or floating numbers; integers where it is empty."""
        self._flush()
        pieces = [np.asarray(one) if isinstance(one, list) else one.to_numpy() for one in self._pieces[name]]
        found = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)
        return found if found.dtype.kind == "f" else found.astype(np.int64)

    def texts(self, name: str) -> pd.Series[Any]:
        """Return a field of texts; missing where the log has none."""
        self._flush()
        pieces = [pd.Series(one, dtype="str") if isinstance(one, list) else one.to_pandas().astype("str") for one in self._pieces[name]]
        return pd.concat(pieces, ignore_index=True) if pieces else pd.Series([], dtype="str")

    def values(self, name: str) -> list[Any]:
        """Return a field as Python values."""
        self._flush()
        return list(chain.from_iterable(as_list(one) for one in self._pieces[name]))

    @property
    def batch(self) -> npt.NDArray[np.int64]:
        """The number of each row's batch."""
        self._flush()
        sizes = np.concatenate(self._sizes) if self._sizes else np.empty(0, dtype=np.int64)
        return np.repeat(np.arange(len(sizes)), sizes)


def _only(values: Any, kept: npt.NDArray[np.bool_]) -> Any:
    return [value for value, keep in zip(values, kept, strict=True) if keep] if isinstance(values, list) else values.filter(kept)
