"""A snapshot as the JSON file that is committed with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec

from contracts.snapshot import Snapshot

MANIFEST = "manifest.json"


def write_manifest(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot as JSON, without its commit: that is known only afterwards."""
    content = msgspec.to_builtins(snapshot, builtin_types=(datetime,))  # asdict copies each value of each partition
    del content["commit"]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")


def read_manifest(text: str, commit: str) -> Snapshot:
    """Return the snapshot that a manifest describes."""
    return replace(msgspec.json.decode(text, type=Snapshot), commit=commit)
