"""How far behind the log a reader is: rows, and seconds since the oldest of them was logged."""

from __future__ import annotations

import msgspec

from adapters.traffic_log import TrafficLog
from contracts.traffic import Position

_BATCHES = 10_000  # read at once


class _Logged(msgspec.Struct):
    """What counting needs of an AnsweredBatch."""

    logged_at: int
    rows: list[int]


class Backlog:
    """Counts the rows of `answers` between a reader and the end of the log, reading each batch once.

    Args:
        position: where the reader is now.
    """

    def __init__(self, log: TrafficLog, position: Position) -> None:
        self._log, self._end, self._rows = log, position, 0

    def took(self, rows: int) -> None:
        """Note that the reader went past some rows."""
        self._rows -= rows

    def rows(self) -> int:
        """Return how many rows lie ahead of the reader."""
        while True:
            batches, self._end = self._log.follow(_Logged, "answers", self._end, _BATCHES)
            self._rows += sum(len(batch.rows) for batch in batches)
            if len(batches) < _BATCHES:
                return self._rows

    def seconds(self, position: Position, now: float) -> float:
        """Return how long ago the oldest batch ahead of the reader was logged; 0 where there is none.

        Args:
            position: where the reader is.
            now: seconds since 1970.
        """
        waiting, _ = self._log.follow(_Logged, "answers", position, 1)
        return max(0.0, now - waiting[0].logged_at / 1e6) if waiting else 0.0
