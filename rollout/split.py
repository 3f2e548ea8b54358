"""Split: which arm a unit belongs to; the same everywhere, and after every restart, for it follows from the route and the unit alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate

_BYTES = 8


def point(salt: str, unit: str) -> float:
    """Return where in [0, 1) a unit lies: uniform over units, and independent from one salt to another.

    >>> point("p/2/3", "user-7") == point("p/2/3", "user-7") != point("p/2/4", "user-7")
    True
    """
    digest = hashlib.blake2b(f"{salt}\0{unit}".encode(), digest_size=_BYTES).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53  # as many bits as a float holds, so that 1 is never reached


def assign(salt: str, unit: str, shares: Sequence[float]) -> int:
    """Return the index of the arm that answers a unit.

    Args:
        salt: the route's. unit: who is assigned.
        shares: of the arms, in the route's order; they add up to 1.

    >>> [assign("s", f"user-{number}", [0.5, 0.5]) for number in range(8)]
    [0, 0, 1, 0, 0, 1, 0, 1]
    """
    at = point(salt, unit)
    return next((index for index, end in enumerate(accumulate(shares)) if at < end), len(shares) - 1)
