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
        wait_seconds: a request that waited longer is not answered any more.
    """

    body_bytes: int = 16 * 1024 * 1024
    rows: int = 20_000
    waiting_rows: int = 50_000
    batch_rows: int = 512
    wait_seconds: float = 10.0
