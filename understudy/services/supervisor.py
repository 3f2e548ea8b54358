"""Starts the plan's services, keeps them up, and stops them all; none outlives the process that supervises them."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from adapters.settings import Settings
from contracts.errors import OutsideError
from understudy.services.listeners import listens
from understudy.services.plan import Plan, Service

READY_SECONDS = 180.0  # a first start runs the migrations of two databases
STOP_SECONDS = 10.0
ONE_SHOT = frozenset({"deploy"})  # runs to its end before what comes after it
_POLL_SECONDS = 0.1
_RESTART_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0)
_KILL_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass
class _Child:
    service: Service
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    restarts: int = 0
    due: float = 0.0


@dataclass
class Supervisor:
    """One run of `understudy up`.

    Args:
        tell: called with one line for each thing worth saying.
    """

    settings: Settings
    plan: Plan
    tell: Callable[[str], None]
    children: dict[str, _Child] = field(default_factory=dict)
    stopping: bool = False

    def run(self) -> None:
        """Start everything, keep it up until SIGTERM or SIGINT, and stop it.

        Raises:
            OutsideError: a service did not become ready.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        self._publish({})  # from the first child to the last this process is known, so that it can be stopped and waited for
        ensure_secret(self.settings)
        self.children = {one.name: _Child(one) for one in self.plan.services}
        try:
            self._bring_up()
            if not self.stopping:
                self._publish(self._services())
            while not self.stopping:
                self._tend()
                time.sleep(_POLL_SECONDS)
        finally:
            with suppress(OSError):  # such as a full disk: what runs is stopped all the same
                self._publish({})
            self._stop_all()
            self.settings.services_file.unlink(missing_ok=True)

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _bring_up(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.stopping and not all(child.ready for child in self.children.values()):
            for child in self.children.values():
                if child.process is None and all(self.children[name].ready for name in child.service.after):
                    self._start(child)
                elif child.process is not None and not child.ready:
                    self._look(child)
            if time.monotonic() > deadline:
                late = ", ".join(name for name, child in self.children.items() if not child.ready)
                raise OutsideError(f"Not ready within {READY_SECONDS:.0f} s: {late}.", f"Look into {self._log(late.split(',')[0])}.")
            time.sleep(_POLL_SECONDS)

    def _look(self, child: _Child) -> None:
        code = child.process.poll() if child.process else None
        name = child.service.name
        if name in ONE_SHOT:
            child.ready = code == 0
        elif code is None:
            child.ready = _is_ready(child)
        if code not in (None, 0) or (code == 0 and name not in ONE_SHOT):
            raise OutsideError(f"{name} stopped with exit code {code} while it was starting.", f"Look into {self._log(name)}.")
        if child.ready and name not in ONE_SHOT:
            self.tell(f"{name} is ready")

    def _start(self, child: _Child) -> None:
        log = self._log(child.service.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        if child.service.ready_file is not None:
            child.service.ready_file.unlink(missing_ok=True)
        with log.open("ab") as output:
            child.process = subprocess.Popen(  # noqa: S603  # commands are the plan's own
                child.service.command,
                env=self.plan.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=stops_with(os.getpid()),  # this process has one thread
            )

    def _log(self, name: str) -> Path:
        return self.settings.home / "logs" / f"{name}.log"

    def _tend(self) -> None:
        """Start again what died, with growing pauses."""
        now = time.monotonic()
        for name, child in self.children.items():
            if name in ONE_SHOT or child.process is None or child.process.poll() is None:
                continue
            if child.due == 0.0:
                pause = _RESTART_SECONDS[min(child.restarts, len(_RESTART_SECONDS) - 1)]
                child.due, child.restarts = now + pause, child.restarts + 1
                self.tell(f"{name} stopped with exit code {child.process.returncode}; it is started again in {pause:g} s")
            elif now >= child.due:
                child.due = 0.0
                _kill_group(child.process)  # what it left behind would hold its port
                self._start(child)

    def _services(self) -> dict[str, object]:
        pids = {name: child.process.pid for name, child in self.children.items() if child.process and name not in ONE_SHOT}
        return {**self.plan.addresses, "pids": pids}

    def _publish(self, services: dict[str, object]) -> None:
        """Write this process and what is ready, whole or not at all, for every other command to find."""
        target = self.settings.services_file
        content = {**services, "pid": os.getpid()}
        target.parent.mkdir(parents=True, exist_ok=True)
        written = target.with_suffix(".tmp")
        written.write_text(json.dumps(content, indent=2) + "\n")
        written.replace(target)

    def _stop_all(self) -> None:
        """Ask in reverse order, then insist; each child is the head of a process group of its own."""
        running = {name: child.process for name, child in reversed(self.children.items()) if child.process and child.process.poll() is None}
        for process in running.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for name, process in running.items():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.tell(f"{name} did not stop within {STOP_SECONDS:g} s; killed")
        for child in self.children.values():
            if child.process is not None:
                _kill_group(child.process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):  # the whole group has gone, as it should
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stops_with(parent: int) -> Callable[[], None]:
    """Return what a process does between fork and exec so that it is stopped when the one that started it ends, however soon that is."""

    def tie() -> None:
        ctypes.CDLL(None).prctl(_KILL_WITH_PARENT, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before it was asked for: nobody would tell
            os._exit(1)

    return tie


def _is_ready(child: _Child) -> bool:
    """Whether it answers; what answers on its port must be this very child, not a stranger who was quicker to take the port."""
    service = child.service
    if service.ready_file is not None:
        return service.ready_file.exists()
    if service.ready_url is None or child.process is None:
        return True
    return answers(service.ready_url) and listens(child.process.pid, service.ready_url)


def answers(url: str) -> bool:
    """Return whether a loopback address answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  # our own http addresses
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def ensure_secret(settings: Settings) -> None:
    """Make the webhook's secret where there is none; readable by its owner only."""
    path = settings.home / "webhook.secret"
    if settings.webhook_secret is None and not path.exists():
        _write_secret(path, secrets.token_urlsafe(32))


def ensure_prefect_login(home: Path) -> None:
    """Make what Prefect's API and pages ask for, `user:password`, where there is none; readable by its owner only.

    Who sets PREFECT_SERVER_API_AUTH_STRING decides; set and empty, nobody is asked.
    """
    path, said = home / "prefect.auth", os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
    if said is None and path.exists():
        return
    path.unlink(missing_ok=True)
    if said != "":
        _write_secret(path, said or f"admin:{secrets.token_urlsafe(24)}")


def _write_secret(path: Path, value: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value + "\n")
