"""Numbers in order, sorted once: tests and effect sizes of one column look at the same values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def in_order(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers sorted; those that are already cost one look."""
    return values if np.all(values[:-1] <= values[1:]) else np.sort(values)
