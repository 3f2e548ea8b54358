"""Rows on their way into a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd

from contracts.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Batch:
    """What one ingest adds.

    Attributes:
        parts: rows that passed, after the watermark, with `event_time`; each table becomes a partition.
        key: columns that identify a row.
        onto: the newest snapshot when the rows were read; None where there was none.
        late: rows that passed, behind the watermark: late ones and corrections; they become a partition of their own, before the others.
        corrected: how many of these have a key that is known.
        quarantined: rows that were set aside now. aside_until: the greatest event time among them.
        marks: of rows that were set aside, now or before: fingerprint → event time, so that none is judged twice.
        lateness: how long before the watermark marks are kept.
        retention: partitions that end so long before the watermark are left out of the new snapshot; older snapshots keep them.
    """

    parts: Iterable[pd.DataFrame]
    key: Sequence[str]
    onto: Snapshot | None = None
    late: pd.DataFrame | None = None
    corrected: int = 0
    quarantined: int = 0
    aside_until: datetime | None = None
    marks: Mapping[str, datetime] = field(default_factory=dict)
    lateness: timedelta = timedelta()
    retention: timedelta | None = None
