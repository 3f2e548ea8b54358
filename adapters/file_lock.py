"""A lock between processes on one machine; the system frees it when its holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import OutsideError

_POLL_SECONDS = 0.05


@contextmanager
def file_lock(path: Path, timeout_seconds: float = 600.0) -> Iterator[None]:
    """Hold the lock on a file, waiting for another holder.

    Raises:
        OutsideError: another process held it for the whole timeout.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_seconds
    with path.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OutsideError(f"{path} has been locked by another process for {timeout_seconds:g} s.", "Wait for it.") from None
                time.sleep(_POLL_SECONDS)
        yield
