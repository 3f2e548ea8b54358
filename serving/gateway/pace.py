"""How long rows will wait, learned from the micro-batches before: a call of a model costs something, and each of its rows."""

from __future__ import annotations

_NEWEST = 0.1  # weight of the newest micro-batch


class Pace:
    """Least squares of seconds on rows, in which older micro-batches count less and less.

    >>> pace = Pace()
    >>> for rows in (1, 10, 100) * 20:
    ...     pace.saw(rows, 0.002 + 0.001 * rows)
    >>> round(pace.seconds(rows=500, batches=2), 3)
    0.504
    """

    def __init__(self) -> None:
        self._rows = self._seconds = self._square = self._product = self._weight = 0.0  # moments

    def saw(self, rows: int, seconds: float) -> None:
        """Take a micro-batch into account."""
        keep = 1 - _NEWEST
        self._weight = keep * self._weight + _NEWEST
        self._rows = keep * self._rows + _NEWEST * rows
        self._seconds = keep * self._seconds + _NEWEST * seconds
        self._square = keep * self._square + _NEWEST * rows * rows
        self._product = keep * self._product + _NEWEST * rows * seconds

    def seconds(self, rows: int, batches: int) -> float:
        """Return how long so many rows in so many micro-batches will take; 0 while nothing is known."""
        if not self._weight:
            return 0.0
        mean_rows, mean_seconds = self._rows / self._weight, self._seconds / self._weight
        spread = self._square / self._weight - mean_rows**2
        each = 0.0  # where all were of one size nothing says what a row costs
        if spread > 1e-6 * mean_rows**2:
            each = max(0.0, (self._product / self._weight - mean_rows * mean_seconds) / spread)
        return batches * max(0.0, mean_seconds - each * mean_rows) + rows * each
