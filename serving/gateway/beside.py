"""Short work is done at once; long work beside the event loop, so that it does not hold up the other requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_LONG_BYTES = 32 * 1024


async def beside(size: int, work: Callable[[], _T]) -> _T:
    """Do work on so many bytes, in a thread where they are many."""
    return work() if size < _LONG_BYTES else await asyncio.to_thread(work)
