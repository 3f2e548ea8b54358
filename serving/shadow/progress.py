"""What the process that answers tells its keeper: one line of JSON at a time over a pipe of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass

import msgspec

OUT_OF_MEMORY = 86  # the exit code of an answering process that ran into its limit


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the answering process is.

    Attributes:
        depth: bytes of the log that are done.
        at: when this was true, seconds since 1970.
        trouble: why it cannot go on just now, or None.
        cpu_seconds, memory_bytes, processors: what the process has used, what it has in memory, how many processors it keeps busy.
    """

    version: str
    epoch: int
    depth: int
    rows: int
    lag_rows: int
    lag_seconds: float
    at: float
    trouble: str | None = None
    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    processors: float | None = None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Told to a process whose predecessors died at one group: note it as failed and go on behind it.

    Attributes:
        version, epoch, depth: where they died; anywhere else nothing is given up.
        reason: how the last one died.
    """

    version: str
    epoch: int
    depth: int
    reason: str


def tell(pipe: int, progress: Progress) -> None:
    """Write one line.

    Raises:
        BrokenPipeError: the keeper is gone.
    """
    os.write(pipe, msgspec.json.encode(progress) + b"\n")


class Lines:
    """Reads what was told, without waiting.

    Args:
        pipe: the reading end; made non-blocking.
    """

    def __init__(self, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self._pipe, self._held = pipe, b""

    def last(self) -> Progress | None:
        """Return the newest line since the last call, or None."""
        try:
            while piece := os.read(self._pipe, 65536):
                self._held += piece
        except BlockingIOError:
            pass
        *whole, self._held = self._held.split(b"\n")
        return msgspec.json.decode(whole[-1], type=Progress) if whole else None

    def close(self) -> None:
        """Give back the pipe."""
        os.close(self._pipe)
