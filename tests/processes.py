"""Processes as the kernel tells of them, each of which may be gone between two looks."""

from __future__ import annotations

import signal
from pathlib import Path


def alive(pid: int) -> bool:
    """Say whether a process is there and not just waiting to be buried."""
    return _told(pid, "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"])


def command(pid: int) -> str:
    """Return a process's command line; empty where it is gone."""
    return _told(pid, "cmdline")


def interruptible() -> None:
    """Let a process that is being started hear SIGINT, which a shell's background jobs are told to ignore; between fork and exec."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def working_for(home: Path) -> list[str]:
    """Return the command lines of processes that work for a home: they are told so on their command line or in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        told = f"UNDERSTUDY_HOME={home}\0" in _told(pid, "environ") or f"--home\0{home}\0" in command(pid)
        if told and alive(pid):
            found.append(command(pid).replace("\0", " "))
    return found


def _told(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text(errors="replace")
    except OSError:  # gone before the file was opened, or while it was read
        return ""
