"""The last verified route on disk: what a gateway serves that is started while the ledger is away."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from contracts.rollout import Route


def read_routes(path: Path) -> dict[str, Route]:
    """Return the routes that were last in force here; none where there is no file.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    return msgspec.json.decode(content, type=dict[str, Route])


def write_routes(path: Path, routes: dict[str, Route]) -> None:
    """Replace the file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(routes)))
    part.replace(path)
