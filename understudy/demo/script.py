"""What a demonstration plays: which pipeline, from when to when, in what steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Script:
    """One demonstration, on the pipeline's own clock.

    Attributes:
        history_until: what is known before the first model; live traffic begins after it.
        until: when the live traffic ends.
        step: how much traffic is replayed before schedules are looked at and ticks run.
        measure: what the error is, for people.
        every: the report's step of time, as pandas writes it.
    """

    pipeline: str
    history_until: datetime
    until: datetime
    step: timedelta
    rows_per_request: int
    measure: str
    every: str


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


AD_CLICKS = Script(
    "ad_clicks", _utc("2026-01-30T00:00"), _utc("2026-02-09T00:00"), timedelta(hours=12), 20, "log loss per impression", "6h"
)
BIKE_DEMAND = Script(
    "bike_demand", _utc("2012-01-01T00:00"), _utc("2013-01-01T00:00"), timedelta(days=7), 4, "mean absolute error, rentals per hour", "7D"
)
