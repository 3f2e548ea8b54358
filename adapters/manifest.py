"""A snapshot as the JSON file that is committed with it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import msgspec

from contracts.snapshot import Partition, Snapshot


def write_manifest(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot as JSON, without its commit: that is known only afterwards."""
    content = msgspec.to_builtins(snapshot, builtin_types=(datetime,))  # asdict copies each value of each partition
    del content["commit"]
    path.write_text(json.dumps(content, indent=1, default=lambda value: value.isoformat()) + "\n", encoding="utf-8")


def read_manifest(text: str, commit: str) -> Snapshot:
    """Return the snapshot that a manifest describes."""
    content = json.loads(text)
    content["partitions"] = tuple(
        Partition(**{**one, "first": datetime.fromisoformat(one["first"]), "last": datetime.fromisoformat(one["last"])})
        for one in content["partitions"]
    )
    content["key"] = tuple(content["key"])
    for name in ("watermark", "created_at"):
        content[name] = datetime.fromisoformat(content[name])
    return Snapshot(**content, commit=commit)
