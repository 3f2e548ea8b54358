"""Keeps one answering process alive: starts it, watches it, says where it is, and starts it again where it dies or hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import msgspec
from structlog.typing import FilteringBoundLogger

from adapters.settings import Settings
from adapters.traffic_log import TrafficLog
from contracts.rollout import Route, ShadowView
from contracts.traffic import Position
from serving.shadow.backlog import Backlog
from serving.shadow.place import Place, load_place, place_file
from serving.shadow.progress import OUT_OF_MEMORY, GiveUp, Lines, Progress

HANG_SECONDS = 120.0  # for a group of answers
_START_SECONDS = 120.0  # for the first sign of life
_FRESH_SECONDS = 2.0  # what a process told longer ago is not what is
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # before it is started again
_STEADY_SECONDS = 60.0  # a process that lived this long is started again at once
_STOP_SECONDS = 2.0
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_STDERR = 2


class Keeper:
    """The keeper of one pipeline's answering process.

    Args:
        hang_seconds: a process that is silent for so long is killed.
    """

    def __init__(self, settings: Settings, pipeline: str, log: FilteringBoundLogger, hang_seconds: float = HANG_SECONDS) -> None:
        self._settings, self._pipeline, self._log, self._hang_seconds = settings, pipeline, log.bind(pipeline=pipeline), hang_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: Lines | None = None
        self._told: Progress | None = None
        self._heard = self._started = 0.0
        self._start_at, self._pause = 0.0, _FIRST_PAUSE
        self._error: str | None = None
        self._died_at: Place | None = None
        self._deaths = 0  # at that place
        self._counted: tuple[Place | None, Backlog] | None = None

    def tend(self) -> None:
        """Do what is due: read what it told, notice its death, start it."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return
        self._listen(now)
        if self._process.poll() is not None:
            self._bury(now, _manner(self._process.returncode, self._settings.shadow_limits.memory_bytes))
            return
        patience = self._hang_seconds if self._heard > self._started else _START_SECONDS
        if now - self._heard > patience:
            self._process.kill()
            self._process.wait()
            self._bury(now, f"gave no sign of life for {patience:g} s")

    def _start(self, now: float) -> None:
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "serving.shadow", "--pipeline", self._pipeline, "--pipe", str(writing)]
        if self._deaths > 1 and self._died_at is not None and self._error is not None:
            place = self._died_at
            command += ["--give-up", msgspec.json.encode(GiveUp(place.version, place.epoch, place.depth, self._error)).decode()]
        environment = os.environ | _ONE_THREAD | self._settings.environment | {"MLFLOW_TRACKING_URI": self._settings.mlflow_uri}
        self._process = subprocess.Popen(  # noqa: S603 - our own module, and names we were given
            command, stdin=subprocess.PIPE, stdout=_STDERR, pass_fds=(writing,), env=environment, start_new_session=True
        )
        os.close(writing)
        self._lines = Lines(reading)
        self._heard = self._started = now

    def _listen(self, now: float) -> None:
        told = self._lines.last() if self._lines else None
        if told is None:
            return
        self._heard, self._told, self._counted = now, told, None
        place = self._died_at
        if place is not None and (told.version, told.epoch, told.depth) != (place.version, place.epoch, place.depth):
            self._error, self._died_at, self._deaths = None, None, 0  # it came past the place where it died

    def _bury(self, now: float, manner: str) -> None:
        self._close()
        place = load_place(place_file(self._settings, self._pipeline))
        self._deaths = self._deaths + 1 if place == self._died_at else 1
        self._died_at, self._error = place, f"the shadow process {manner}"
        if now - self._started > _STEADY_SECONDS:
            self._pause = _FIRST_PAUSE
        self._log.error("died", how=manner, deaths=self._deaths, again_in_seconds=self._pause)
        self._start_at, self._pause = now + self._pause, min(self._pause * 2, _LONGEST_PAUSE)

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._lines is not None:
            self._lines.close()
        self._process, self._lines = None, None

    def view(self, route: Route) -> ShadowView | None:
        """Say where the shadow is: as the process told just now, or counted here while it is silent."""
        if route.shadow is None:
            return None
        told = self._told
        if told is not None and time.time() - told.at < _FRESH_SECONDS:
            error = self._error or told.trouble
            where = told.version, told.epoch, told.lag_rows, told.lag_seconds, told.rows, _utc(told.at)
            return ShadowView(*where, error, told.cpu_seconds, told.memory_bytes, told.processors)
        return self._count(route.shadow.version, route.epoch)

    def _count(self, version: str, epoch: int) -> ShadowView | None:
        place = load_place(place_file(self._settings, self._pipeline))
        if place is not None and (place.version, place.epoch) != (version, epoch):
            place = None
        if place is None and self._error is None:
            return None  # it is just starting
        position, now = Position(place.offsets if place else {}), time.time()
        if self._counted is None or self._counted[0] != place:
            self._counted = (place, Backlog(TrafficLog(self._settings.traffic / self._pipeline), position))
        backlog = self._counted[1]
        rows = backlog.rows()
        return ShadowView(version, epoch, rows, backlog.seconds(position, now), place.rows if place else 0, _utc(now), self._error)

    def stop(self) -> None:
        """End the process; it may be killed anywhere."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._close()


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _manner(code: int, memory_bytes: int) -> str:
    if code == OUT_OF_MEMORY:
        return f"ran out of its {memory_bytes / 1024**3:g} GiB of memory"
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"
