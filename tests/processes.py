"""Processes as the kernel tells of them, each of which may be gone between two looks."""

from __future__ import annotations

from pathlib import Path


def alive(pid: int) -> bool:
    """Say whether a process is there and not just waiting to be buried."""
    return _told(pid, "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"])


def command(pid: int) -> str:
    """Return a process's command line; empty where it is gone."""
    return _told(pid, "cmdline")


def _told(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text()
    except OSError:  # gone before the file was opened, or while it was read
        return ""
