"""Has closed segments archived: a process of its own, every minute, where there is something to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from structlog.typing import FilteringBoundLogger

from adapters.settings import Settings
from serving.archive.once import is_due

_AT_LEAST_SECONDS = 3600.0  # so often, whatever there is to do: what is past its time is deleted then
_LONGEST_SECONDS = 1800.0  # a pass that takes longer is ended; the next one goes on
_STOP_SECONDS = 2.0
_STDERR = 2


class Archivist:
    """Starts `python -m serving.archive` and sees that it ends; whatever becomes of it costs neither answers nor evidence."""

    def __init__(self, settings: Settings, log: FilteringBoundLogger) -> None:
        self._settings, self._log = settings, log
        self._process: subprocess.Popen[bytes] | None = None
        self._began = self._looked = time.monotonic()

    def tend(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self._process is not None:
            self._watch(self._process, now)
        elif now - self._looked >= self._settings.traffic_rules.close_every.total_seconds():
            self._looked = now
            if now - self._began > _AT_LEAST_SECONDS or is_due(self._settings):
                self._start(now)

    def _start(self, now: float) -> None:
        self._began = now
        self._process = subprocess.Popen(
            [sys.executable, "-m", "serving.archive"], stdout=_STDERR, env=os.environ | self._settings.environment
        )

    def _watch(self, process: subprocess.Popen[bytes], now: float) -> None:
        if process.poll() is not None:
            if process.returncode:
                self._log.error("archiving ended early and is tried again", code=process.returncode)
            self._process = None
        elif now - self._began > _LONGEST_SECONDS:
            process.kill()

    def stop(self) -> None:
        """End it; it may be killed anywhere."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
