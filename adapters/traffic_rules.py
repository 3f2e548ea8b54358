"""How the traffic log is written and how long it is kept: by environment, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, cast, get_args

from contracts.duration import parse_duration
from contracts.errors import UsageError

Fsync = Literal["none", "interval", "batch"]
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TrafficRules:
    """Rules of all pipelines' logs.

    Attributes:
        segment_bytes, segment_age: a segment that reached either is closed at the next write, or within a second where nobody writes.
        fsync: what a loss of power may cost: what the kernel has not written yet (none), the last second (interval), nothing (batch).
            A kill -9 costs nothing under any of them.
        close_every: how often closed segments are looked for.
        url: object store for closed segments: `s3://BUCKET/PREFIX` or a folder; None: they stay here and nothing is ever deleted.
        keep, keep_bytes: closed and uploaded segments stay here for so long, and at most so many bytes of them for each pipeline; what a
            rollout, a label that is due or a monitor still needs stays in any case.
    """

    segment_bytes: int = 64 * MEGABYTE
    segment_age: timedelta = timedelta(hours=1)
    fsync: Fsync = "none"
    close_every: timedelta = timedelta(minutes=1)
    url: str | None = None
    keep: timedelta = timedelta(days=30)
    keep_bytes: int | None = None


USUAL = TrafficRules()


def read_traffic_rules() -> TrafficRules:
    """Read the environment.

    Raises:
        UsageError: a value is not what its variable takes.
    """
    usual = USUAL
    fsync = os.environ.get("UNDERSTUDY_TRAFFIC_FSYNC") or usual.fsync
    if fsync not in get_args(Fsync):
        raise UsageError(f"UNDERSTUDY_TRAFFIC_FSYNC is '{fsync}'.", f"Give it one of {', '.join(get_args(Fsync))}, or unset it.")
    return TrafficRules(
        segment_bytes=_megabytes("UNDERSTUDY_TRAFFIC_SEGMENT_MB") or usual.segment_bytes,
        segment_age=_duration("UNDERSTUDY_TRAFFIC_SEGMENT_AGE", usual.segment_age),
        fsync=cast("Fsync", fsync),
        close_every=_duration("UNDERSTUDY_TRAFFIC_CLOSE_EVERY", usual.close_every),
        url=os.environ.get("UNDERSTUDY_TRAFFIC_URL") or None,
        keep=_duration("UNDERSTUDY_TRAFFIC_KEEP", usual.keep),
        keep_bytes=_megabytes("UNDERSTUDY_TRAFFIC_KEEP_MB"),
    )


def _duration(variable: str, usual: timedelta) -> timedelta:
    said = os.environ.get(variable)
    try:
        return parse_duration(said) if said else usual
    except ValueError as error:
        raise UsageError(f"{variable}: {error}.", "Mend it, or unset it.") from None


def _megabytes(variable: str) -> int | None:
    said = os.environ.get(variable)
    if not said:
        return None
    try:
        value = float(said)
    except ValueError:
        value = 0.0
    if not 0 < value < 2**40:
        raise UsageError(f"{variable} is '{said}'.", "Give it a number of megabytes above 0, or unset it.")
    return max(1, round(value * MEGABYTE))
