"""How long rows will wait, learned from the micro-batches before: a call of a model costs something, and each of its rows."""

from __future__ import annotations

import math

_NEWEST = 0.1  # weight of the newest micro-batch
_SURE, _FEW = 3.0, 6.0  # standard errors, and how many more where few degrees of freedom make an error itself uncertain
_FAR = 4.0  # times as many rows as were seen lately: beyond, only what is sure is foretold


class Pace:
    """Least squares of seconds on rows, in which older micro-batches count less and less.

    Of about as many rows as were seen lately each costs what it likely costs; of those far beyond, what it surely costs: what calls of a
    few rows took by chance says nothing of thousands, and must refuse nobody.

    >>> pace = Pace()
    >>> for rows in (1, 10, 100) * 20:
    ...     pace.saw(rows, 0.002 + 0.001 * rows)
    >>> round(pace.seconds(rows=500, batches=2), 3)
    0.504
    """

    def __init__(self) -> None:
        self._rows = self._seconds = self._rows_squared = self._seconds_squared = self._product = 0.0  # moments
        self._weight = self._weights_squared = 0.0
        self._most_rows = 0.0  # of a micro-batch lately

    def saw(self, rows: int, seconds: float) -> None:
        """Take a micro-batch into account."""
        keep = 1 - _NEWEST
        self._weight = keep * self._weight + _NEWEST
        self._weights_squared = keep**2 * self._weights_squared + _NEWEST**2
        self._rows = keep * self._rows + _NEWEST * rows
        self._seconds = keep * self._seconds + _NEWEST * seconds
        self._rows_squared = keep * self._rows_squared + _NEWEST * rows * rows
        self._seconds_squared = keep * self._seconds_squared + _NEWEST * seconds * seconds
        self._product = keep * self._product + _NEWEST * rows * seconds
        self._most_rows = max(rows, keep * self._most_rows + _NEWEST * rows)

    def seconds(self, rows: int, batches: int) -> float:
        """Return how long so many rows in so many micro-batches will take; 0 while nothing is known."""
        if not self._weight:
            return 0.0
        mean_rows, mean_seconds = self._rows / self._weight, self._seconds / self._weight
        likely, sure = self._each(mean_rows, mean_seconds)
        near = min(rows, _FAR * self._most_rows)
        return batches * (mean_seconds - likely * mean_rows) + near * likely + (rows - near) * sure

    def _each(self, mean_rows: float, mean_seconds: float) -> tuple[float, float]:
        """Return the seconds that a row adds, likely and surely (about Student's t at 99.5 %); none while nothing is known."""
        spread = self._rows_squared / self._weight - mean_rows**2
        free = self._weight**2 / self._weights_squared - 2  # degrees of freedom: Kish's effective number less the line's two
        if spread <= 1e-6 * mean_rows**2:
            return 0.0, 0.0
        slope = (self._product / self._weight - mean_rows * mean_seconds) / spread
        likely = min(max(0.0, slope), mean_seconds / mean_rows)  # a call itself costs nothing at the least
        if free <= 0:
            return likely, 0.0
        unexplained = max(0.0, self._seconds_squared / self._weight - mean_seconds**2 - slope**2 * spread)
        error = math.sqrt(unexplained / (spread * free))
        return likely, min(likely, max(0.0, slope - _SURE * (1 + _FEW / free**2) * error))
