"""Loopback ports: the default where it is free, any other where it is taken."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

from adapters.file_lock import file_lock
from contracts.errors import OutsideError

LOOPBACK = "127.0.0.1"
DEFAULTS = {"prefect": 4200, "mlflow": 5000, "gateway": 8080, "grpc": 8081, "webhook": 8090}

_HELD: set[int] = set()  # ports that this process has spoken for
_UNTIL_IT_ENDS = ExitStack()  # their locks


def choose_ports(wanted: dict[str, int] | None = None) -> dict[str, int]:
    """Return a port for each service, all different; what one process has chosen, no other of the same user chooses while it lives."""
    chosen: dict[str, int] = {}
    for name, default in DEFAULTS.items():
        first = (wanted or {}).get(name, default)
        free = is_free(first) and first not in chosen.values() and _speak_for(first)
        chosen[name] = first if free else _any_free(set(chosen.values()))
    return chosen


def is_free(port: int) -> bool:
    """Return whether nobody listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _any_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken and _speak_for(port):
            return port


def _speak_for(port: int) -> bool:
    """Take a port before its service listens: two that start at once would both find it free."""
    if port in _HELD:
        return True
    folder = Path(tempfile.gettempdir()) / f"understudy-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    try:
        _UNTIL_IT_ENDS.enter_context(file_lock(folder / str(port), timeout_seconds=0.0))
    except OutsideError:
        return False
    _HELD.add(port)
    return True
