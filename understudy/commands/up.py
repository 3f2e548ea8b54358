"""up and down: everything on this machine, as one process to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from adapters.settings import Settings

_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1
_started: dict[int, subprocess.Popen[bytes]] = {}  # by this process, to be waited for when they are stopped


@click.command()
@click.option("--detach", is_flag=True, help="Start in the background, wait until all is ready, then return.")
@click.pass_obj
def up(options: Options, detach: bool) -> None:
    """Start Prefect server and worker, MLflow, gateway, shadow and webhook receiver, on loopback."""
    from adapters.file_lock import file_lock
    from adapters.settings import read_settings
    from understudy.services.plan import make_plan
    from understudy.services.ports import choose_ports
    from understudy.services.supervisor import Supervisor

    settings = read_settings(options.home, options.pipelines)
    running = running_pid(settings)
    if running is not None:
        show(addresses(settings), [f"Already up (process {running}).", *_lines(addresses(settings))], as_json=options.as_json)
        return
    if detach:
        start_detached(settings)
        show(addresses(settings), _lines(addresses(settings)), as_json=options.as_json)
        return
    with file_lock(settings.home / "run" / "up.lock", timeout_seconds=5.0):
        plan = make_plan(settings, choose_ports())
        Supervisor(settings, plan, lambda line: click.echo(line, err=True)).run()


@click.command()
@click.pass_obj
def down(options: Options) -> None:
    """Stop what `understudy up` started."""
    from adapters.settings import read_settings

    settings = read_settings(options.home, options.pipelines)
    stopped = stop(settings)
    show({"stopped": stopped}, ["Stopped." if stopped else "Nothing was up."], as_json=options.as_json)


def _lines(found: dict[str, str]) -> list[str]:
    return [f"{name:<8} {found[name]}" for name in ("prefect", "mlflow", "gateway", "webhook") if name in found]


def addresses(settings: Settings) -> dict[str, str]:
    """Return the addresses of what is up, by name; empty where nothing is."""
    import json

    path = settings.services_file
    content = json.loads(path.read_text()) if path.exists() else {}
    return {name: value for name, value in content.items() if isinstance(value, str)}


def running_pid(settings: Settings) -> int | None:
    """Return the process that supervises this home, or None; a file that a killed one left is removed."""
    import json

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


def start_detached(settings: Settings, *, tied: bool = False) -> None:
    """Start `understudy up` in the background and wait until everything is ready.

    Args:
        tied: everything stops when this process ends, however it ends.

    Raises:
        OutsideError: it stopped before it was ready; the error names its log.
    """
    from contracts.errors import OutsideError
    from understudy.services.supervisor import stop_with_parent

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
            preexec_fn=stop_with_parent if tied else None,
        )
    _started[process.pid] = process
    while not settings.services_file.exists():
        if process.poll() is not None:
            last = log.read_text().strip().splitlines()[-3:]
            raise OutsideError(f"`understudy up` stopped: {' '.join(last)}", f"Look into {log}.")
        time.sleep(_POLL_SECONDS)


def stop(settings: Settings) -> bool:
    """Stop the supervising process and wait until it is gone; return whether there was one.

    Raises:
        OutsideError: it did not stop in time.
    """
    from contracts.errors import OutsideError

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
