"""Everything of a home in the background: started, found and stopped by other processes through `run/services.json`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adapters.file_lock import file_lock
from adapters.settings import Settings
from contracts.errors import OutsideError
from understudy.services.supervisor import stops_with

_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1
_started: dict[int, subprocess.Popen[bytes]] = {}  # by this process, to be waited for when they are stopped


def addresses(settings: Settings) -> dict[str, str]:
    """Return the addresses of what is up, by name; empty where nothing is, or is only starting or stopping."""
    path = settings.services_file
    content = json.loads(path.read_text()) if path.exists() else {}
    return {name: value for name, value in content.items() if isinstance(value, str)}


def running_pid(settings: Settings) -> int | None:
    """Return the process that supervises this home, or None; a file that a killed one left is removed."""
    path = settings.services_file
    if not path.exists():
        return None
    pid = int(json.loads(path.read_text())["pid"])
    if _is_supervisor(pid):
        return pid
    path.unlink(missing_ok=True)
    return None


def _is_supervisor(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"up" in command


@contextmanager
def nothing_up(settings: Settings, seconds: float) -> Iterator[None]:
    """Hold what `understudy up` holds for as long as anything of it lives, waiting for one that stops.

    Raises:
        OutsideError: it did not stop in time.
    """
    with ExitStack() as held:
        try:
            held.enter_context(file_lock(settings.home / "run" / "up.lock", timeout_seconds=seconds))
        except OutsideError as error:
            last = f"Stop it with: understudy --home {settings.home} down"
            raise OutsideError(f"Another `understudy up` has been at work in {settings.home} for {seconds:g} s.", last) from error
        yield


def start_detached(settings: Settings, *, tied: bool = False) -> None:
    """Start `understudy up` in the background and wait until everything is ready; who is interrupted meanwhile leaves nothing running.

    Args:
        tied: everything stops when this process ends, however it ends.

    Raises:
        OutsideError: it stopped before it was ready; the error names its log.
    """
    log = settings.home / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "understudy", "--home", str(settings.home), "--pipelines", str(settings.pipelines), "up"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=stops_with(os.getpid()) if tied else None,
        )
    _started[process.pid] = process
    try:
        _await_ready(settings, process, log)
    except BaseException:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # its services end with it
        raise


def _await_ready(settings: Settings, process: subprocess.Popen[bytes], log: Path) -> None:
    while not (addresses(settings) and running_pid(settings) == process.pid):
        if process.poll() is not None:
            last = log.read_text().strip().splitlines()[-3:]
            raise OutsideError(f"`understudy up` stopped: {' '.join(last)}", f"Look into {log}.")
        time.sleep(_POLL_SECONDS)


def stop(settings: Settings) -> bool:
    """Stop the supervising process and wait until it is gone; return whether there was one.

    Raises:
        OutsideError: it did not stop in time.
    """
    pid = running_pid(settings)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_supervisor(pid):
        if time.monotonic() > deadline:
            raise OutsideError(f"Process {pid} did not stop within {_STOP_SECONDS:g} s.", f"Look into {settings.home / 'logs'}.")
        time.sleep(_POLL_SECONDS)
    if pid in _started:
        _started.pop(pid).wait()
    return True
