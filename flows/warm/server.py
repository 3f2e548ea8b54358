"""The warm engine: imports what flows need, then forks one child for each flow run that a worker sends.

A fork of a process that has imported everything starts in a tenth of a second where a fresh interpreter needs five to fifteen. The
server has one thread of Python, so a fork copies no lock in the middle of its use. A child whose client goes away is killed.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from flows.warm.place import HEADER_BYTES, socket_path

_PRELOADED = (
    "prefect.flow_engine", "prefect.artifacts", "flows.retrain", "flows.rollout", "flows.monitor", "flows.approval",
    "mlflow.pyfunc", "mlflow.tracking", "great_expectations", "dvc.repo", "sklearn.ensemble", "skops.io", "matplotlib.figure",
)  # fmt: skip
_ENGINE = "prefect.engine"
_KILL_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True, slots=True)
class Job:
    """One flow run to do: where, with what environment, and its outputs."""

    cwd: str
    env: dict[str, str]
    outputs: tuple[int, int]


@dataclass
class _Server:
    listener: socket.socket
    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    children: dict[int, socket.socket] = field(default_factory=dict)
    stopping: bool = False

    def serve(self) -> Job | None:
        """Return None when told to stop, and in each forked child the job it has to do."""
        wake, poke = os.pipe()
        os.set_blocking(poke, False)
        signal.set_wakeup_fd(poke)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(wake, selectors.EVENT_READ)
        while not self.stopping:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    job = self._accept()
                    if job is not None:
                        return job
                elif key.fileobj == wake:
                    os.read(wake, 4096)
                    self._reap()
                else:
                    self._client_left(key.fileobj)  # type: ignore[arg-type]  # only sockets of clients are left
        for child in self.children:
            os.kill(child, signal.SIGTERM)
        return None

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _accept(self) -> Job | None:
        connection, _ = self.listener.accept()
        connection.settimeout(5)
        try:
            job = _receive(connection)
        except (OSError, ValueError, KeyError):  # a client that died while it spoke: its worker sees that by itself
            connection.close()
            return None
        child = os.fork()
        if child == 0:
            self._become_child(connection)
            return job
        for output in job.outputs:
            os.close(output)
        self.children[child] = connection
        self.selector.register(connection, selectors.EVENT_READ)
        connection.sendall(f"{child}\n".encode())
        return None

    def _become_child(self, connection: socket.socket) -> None:
        ctypes.CDLL(None).prctl(_KILL_WITH_PARENT, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.selector.close()
        for one in (self.listener, connection, *self.children.values()):
            one.close()

    def _reap(self) -> None:
        while self.children:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            connection = self.children.pop(child, None)
            if connection is None:
                continue
            self.selector.unregister(connection)
            code = os.waitstatus_to_exitcode(status)
            try:
                connection.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
            except OSError:  # the client is gone; nobody waits for the code
                pass
            finally:
                connection.close()

    def _client_left(self, connection: socket.socket) -> None:
        """Kill the child of a client that closed its end: the run was cancelled hard."""
        child = next(number for number, one in self.children.items() if one is connection)
        self.selector.unregister(connection)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        del self.children[child]
        connection.close()


def _receive(connection: socket.socket) -> Job:
    header, outputs, _, _ = socket.recv_fds(connection, HEADER_BYTES, 2)
    left, parts = int.from_bytes(header, "big"), []
    while left:
        part = connection.recv(left)
        if not part:
            raise OSError("the client closed before its job was whole")
        parts.append(part)
        left -= len(part)
    job = json.loads(b"".join(parts))
    return Job(job["cwd"], job["env"], (outputs[0], outputs[1]))


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{path.parent} belongs to somebody else")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    named = path.with_suffix(".new")
    named.unlink(missing_ok=True)
    listener.bind(str(named))
    listener.listen(16)
    named.rename(path)  # who sees the socket can connect to it
    return listener


def _do(job: Job) -> None:
    for number, output in zip((1, 2), job.outputs, strict=True):
        os.dup2(output, number)
        os.close(output)
    os.environ.clear()
    os.environ.update(job.env)
    os.chdir(job.cwd)
    _settings_of_the_job()
    sys.argv = [_ENGINE]
    sys.modules.pop(_ENGINE, None)  # it runs as the program itself now
    runpy.run_module(_ENGINE, run_name="__main__", alter_sys=True)


def _settings_of_the_job() -> None:
    """Prefect read its settings when it was imported; the job's environment has others: how often a run says that it lives."""
    if "prefect.context" in sys.modules:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()


def main() -> None:
    """Serve the home named by the environment until SIGTERM."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    for name in _PRELOADED:
        importlib.import_module(name)
    path = socket_path(Path(os.environ.get("UNDERSTUDY_HOME", ".understudy")))
    job = _Server(_listen(path)).serve()
    if job is None:
        path.unlink(missing_ok=True)
    else:
        _do(job)


if __name__ == "__main__":
    main()
