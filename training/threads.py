"""How many threads a fit or a prediction may use; the answers do not depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# Below this, OpenMP's threads wait for each other longer than they work. On a busy machine they also spin while they wait:
# 4,300 rows and 200 trees took 6.5 s with two threads beside two busy processes, 0.5 s with one.
ONE_THREAD_ROWS = 50_000


@contextmanager
def threads_for(rows: int) -> Iterator[None]:
    """Keep work on few rows in one thread, and leave the rest to the libraries."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1 if rows < ONE_THREAD_ROWS else None):
        yield
