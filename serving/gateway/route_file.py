"""The last verified route on disk: what a gateway serves that is started while the ledger is away."""

from __future__ import annotations

from pathlib import Path

import msgspec

from adapters.whole_file import write_whole
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
    write_whole(path, msgspec.json.format(msgspec.json.encode(routes)))
