"""The process that answers for one pipeline: low in priority, bounded in memory, gone when its keeper is gone."""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import threading
import time
from dataclasses import dataclass

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from structlog.typing import FilteringBoundLogger

from adapters.file_lock import file_lock
from adapters.ledger import Ledger
from adapters.priority import give_way
from adapters.process_log import configure_log
from adapters.settings import Settings
from contracts.errors import UnderstudyError
from serving.shadow.follower import Follower
from serving.shadow.place import place_file
from serving.shadow.progress import OUT_OF_MEMORY, GiveUp, tell

_IDLE_SECONDS = 0.1
_TELL_SECONDS = 0.25
_TROUBLE_SECONDS = 2.0
_LOCK_SECONDS = 10.0
_ERROR_CHARACTERS = 500
_STDIN = 0
_HEAVY = ("skops.io", "sklearn.ensemble", "sklearn.pipeline", "sklearn.compose")  # imported before the first sign of life


@dataclass(frozen=True, slots=True)
class _Mood:
    worked: bool  # there was a group
    trouble: str | None  # what stood in the way


def follow(settings: Settings, pipeline: str, pipe: int, give_up: str | None) -> None:
    """Follow a pipeline's log until the keeper stops us or is gone.

    Args:
        pipe: where to tell our progress.
        give_up: a GiveUp as JSON, or None.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the keeper
    limits = settings.shadow_limits
    give_way(limits.niceness)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    if limits.cpus is not None:
        os.sched_setaffinity(0, limits.cpus)
    threading.Thread(target=_leave_with_keeper, daemon=True).start()
    for name in _HEAVY:
        importlib.import_module(name)
    gc.freeze()  # what is imported stays: looking through it at each collection doubles the time of a rehearsal
    log = configure_log(f"shadow {pipeline}")
    try:
        with file_lock(place_file(settings, pipeline).with_suffix(".lock"), _LOCK_SECONDS):
            ledger = Ledger(settings.ledger_url)
            told = msgspec.json.decode(give_up, type=GiveUp) if give_up else None
            follower = Follower(settings, ledger, pipeline, told)
            _run(follower, _Voice(follower, pipe, log))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)


def _leave_with_keeper() -> None:
    """The keeper holds the other end of our standard input: it ends when the keeper does, even by kill -9."""
    while os.read(_STDIN, 1024):
        pass
    os._exit(0)


class _Voice:
    """Tells the keeper where we are: when that changed, and every quarter of a second."""

    def __init__(self, follower: Follower, pipe: int, log: FilteringBoundLogger) -> None:
        self._follower, self._pipe, self._log = follower, pipe, log
        self._told_at = 0.0
        self._told = _Mood(False, None)

    def say(self, mood: _Mood) -> None:
        if mood == self._told and time.monotonic() - self._told_at < _TELL_SECONDS:
            return
        if mood.trouble is not None and mood != self._told:
            self._log.warning("cannot go on", error=mood.trouble)
        progress = self._follower.progress(mood.trouble)
        if progress is not None:
            tell(self._pipe, progress)
        self._told_at, self._told = time.monotonic(), mood


def _run(follower: Follower, voice: _Voice) -> None:
    mood = _Mood(False, None)
    while True:
        try:
            state = follower.take_up()
            voice.say(mood)  # before the group, however long it takes
            mood = _Mood(follower.step(state), None)
        except BrokenPipeError:
            raise
        except (UnderstudyError, SQLAlchemyError, OSError) as error:  # nothing was passed by: it is tried again
            mood = _Mood(False, str(error)[:_ERROR_CHARACTERS])
        voice.say(mood)
        if not mood.worked:
            time.sleep(_TROUBLE_SECONDS if mood.trouble else _IDLE_SECONDS)
