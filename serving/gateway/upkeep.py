"""Looks after the traffic logs once a second, in a thread that answers nobody: old segments are left, what is due is synced."""

from __future__ import annotations

import threading
from collections.abc import Callable

_EVERY_SECONDS = 1.0
_STOP_SECONDS = 1.0


class Upkeep:
    """Calls `tend` again and again, and once more at the end.

    Args:
        tend: raises nothing.
    """

    def __init__(self, tend: Callable[[], None]) -> None:
        self._tend, self._stop = tend, threading.Event()
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, when a call that is under way is done."""
        self._stop.set()
        self._thread.join(_STOP_SECONDS)

    def _work(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self._tend()
        self._tend()
