"""What this process uses: processor time and memory."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

_STATM = Path("/proc/self/statm")
_LATELY_SECONDS = 60.0


def cpu_seconds() -> float:
    """Return the processor time of this process so far, in user and system mode."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory_bytes() -> int:
    """Return the resident memory of this process; where the system does not tell, the most it ever was."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Busy:
    """How many processors this process keeps busy, on the average of the last minute or so.

    Args:
        now, used: seconds of the clock, and seconds of processor time so far.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, used: Callable[[], float] = cpu_seconds) -> None:
        self._now, self._used = now, used
        self._seen = deque([(now(), used())])

    def processors(self) -> float:
        """Look once more, and return the average since the look of a minute ago, or since the first."""
        now, used = self._now(), self._used()
        while len(self._seen) > 1 and now - self._seen[1][0] >= _LATELY_SECONDS:
            self._seen.popleft()
        began, before = self._seen[0]
        self._seen.append((now, used))
        return (used - before) / (now - began) if now > began else 0.0
