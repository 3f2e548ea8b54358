"""How much the gateway takes at once, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what is taken; beyond them a request is refused at once, so that those taken are answered in time.

    Attributes:
        body_bytes: size of one request.
        rows: rows of one request.
        waiting_rows: rows that may wait for one pipeline, those being answered included.
        batch_rows: rows after which a micro-batch takes no further request.
        wait_seconds: a request that would wait longer is refused.
        head_seconds, body_seconds, read_seconds: how long a caller may take to send a request's head and its body, and to read the answer.
    """

    body_bytes: int = 16 * 1024 * 1024
    rows: int = 20_000
    waiting_rows: int = 50_000
    batch_rows: int = 512
    wait_seconds: float = 2.0
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    read_seconds: float = 30.0

    @property
    def late_seconds(self) -> float:
        """A request that waited so long is not answered any more: the wait was misjudged, and whoever asked has gone."""
        return 5 * self.wait_seconds
