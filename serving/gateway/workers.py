"""Several gateways on one port: a supervisor that answers nobody, and workers that share its listening socket.

Each worker is a whole gateway with its own segments of the traffic log, its own copy of the route, which it follows by itself, and its own
line in the ledger. A worker that dies is started again; what waits in the socket meanwhile is answered by the others.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from adapters.process_log import configure_log

_LOOK_SECONDS = 0.1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # before a worker is started again
_STEADY_SECONDS = 30.0  # one that lived this long is started again at once
_STOP_SECONDS = 8.0
_WRONG_USE = 2  # a worker's exit code
_STDIN = 0
_STDERR = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Which worker a process is: its number, from 0, and of how many."""

    number: int = 0
    count: int = 1

    def name(self, gateway: str) -> str:
        """Return the id under which a worker of a gateway reports."""
        return gateway if self.count == 1 else f"{gateway}/{self.number}"


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    started: float
    start_at: float = 0.0  # again, after it died
    pause: float = _FIRST_PAUSE


def supervise(listening: socket.socket, count: int, arguments: list[str]) -> int:
    """Keep workers running until SIGTERM or SIGINT; return the exit code.

    Args:
        listening: bound; every worker inherits it.
        arguments: of the workers' command line.
    """
    log, stopping = configure_log("gateway"), threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stopping.set())
    listening.listen(1)  # each worker sets its own backlog
    listening.set_inheritable(True)
    workers = [_Worker(_start(listening, number, count, arguments), time.monotonic()) for number in range(count)]
    code = 0
    while not code and not stopping.wait(_LOOK_SECONDS):
        for number, worker in enumerate(workers):
            if worker.process.poll() == _WRONG_USE:
                code = _WRONG_USE  # it said why; starting it again would not help
            elif _is_due(worker, number, log):
                worker.process, worker.started, worker.start_at = _start(listening, number, count, arguments), time.monotonic(), 0.0
    return _stop([worker.process for worker in workers]) or code


def _start(listening: socket.socket, number: int, count: int, arguments: list[str]) -> subprocess.Popen[bytes]:
    told = ["--worker", f"{number}/{count}", "--descriptor", str(listening.fileno())]
    command = [sys.executable, "-m", "serving.gateway", *arguments, *told]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=_STDERR, pass_fds=(listening.fileno(),))  # noqa: S603  # our own module


def _is_due(worker: _Worker, number: int, log: FilteringBoundLogger) -> bool:
    """Notice that a worker ended, and say when it is to be started again."""
    now, code = time.monotonic(), worker.process.poll()
    if worker.start_at or code is None:
        return 0.0 < worker.start_at <= now
    worker.pause = _FIRST_PAUSE if now - worker.started > _STEADY_SECONDS else min(worker.pause * 2, _LONGEST_PAUSE)
    worker.start_at = now + worker.pause
    log.error("A worker ended and is started again", worker=number, code=code, again_in_seconds=worker.pause)
    return False


def _stop(processes: list[subprocess.Popen[bytes]]) -> int:
    for one in processes:
        one.terminate()
    end, code = time.monotonic() + _STOP_SECONDS, 0
    for one in processes:
        try:
            one.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()
            code = 1
    return code


def leave_with_supervisor() -> None:
    """End this worker in good order when its supervisor is gone, even by kill -9: it holds the other end of our standard input."""

    def wait() -> None:
        while os.read(_STDIN, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="supervisor", daemon=True).start()
