"""Loopback ports: the default where it is free, any other where it is taken."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"
DEFAULTS = {"prefect": 4200, "mlflow": 5000, "gateway": 8080, "grpc": 8081, "webhook": 8090}


def choose_ports(wanted: dict[str, int] | None = None) -> dict[str, int]:
    """Return a port for each service, all different."""
    chosen: dict[str, int] = {}
    for name, default in DEFAULTS.items():
        first = (wanted or {}).get(name, default)
        chosen[name] = first if is_free(first) and first not in chosen.values() else _any_free(set(chosen.values()))
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
        if port not in taken:
            return port
