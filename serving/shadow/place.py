"""How far the shadow of a pipeline is: one small file, written whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from adapters.settings import Settings
from adapters.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class Place:
    """Where the shadow stands in the log.

    Attributes:
        version, epoch: who answers, and under which route; another epoch is another beginning.
        since: event time in microseconds from which logged traffic is rehearsed; None: only traffic of this epoch is answered.
        offsets: bytes of each segment that are done.
        rows: rows answered so far under this epoch.
    """

    version: str
    epoch: int
    since: int | None
    offsets: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    @property
    def depth(self) -> int:
        """Bytes of the log that are done: greater means further."""
        return sum(self.offsets.values())


def place_file(settings: Settings, pipeline: str) -> Path:
    """Return where a pipeline's place is kept."""
    return settings.home / "shadow" / f"{pipeline}.json"


def load_place(path: Path) -> Place | None:
    """Return the place that was saved, or None where there is none that can be read: then the shadow begins again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Place)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def save_place(path: Path, place: Place) -> None:
    """Replace the file; a kill -9 leaves the old one or the new one."""
    write_whole(path, msgspec.json.encode(place))
