"""What a demonstration plays: which pipeline, from when to when, in what steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from understudy.replay import Reward

_PRICE = 0.3


@dataclass(frozen=True, slots=True)
class Script:
    """One demonstration, on the pipeline's own clock.

    Attributes:
        history_until: what is known before the first model; live traffic begins after it.
        until: when the live traffic ends.
        step: how much traffic is replayed before schedules are looked at and ticks run.
        measure: what the error is, for people.
        every: the report's step of time, as pandas writes it.
        reward: what each answered row earned, where users see more than one version.
    """

    pipeline: str
    history_until: datetime
    until: datetime
    step: timedelta
    rows_per_request: int
    measure: str
    every: str
    reward: Reward | None = None


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def profit(rows: pd.DataFrame, answers: list[float]) -> list[dict[str, float] | None]:
    """Return what an advertiser earns who buys the impressions whose chance of a click is above their price.

    An impression costs 0.30, a click is worth 1; nothing is bought at a lower chance. So the reward depends on the version that answered.
    """
    bought = np.asarray(answers) > _PRICE
    return [{"profit": float(clicked) - _PRICE if buys else 0.0} for clicked, buys in zip(rows["clicked"], bought, strict=True)]


AD_CLICKS = Script(
    "ad_clicks", _utc("2026-02-01T12:00"), _utc("2026-02-07T12:00"), timedelta(hours=12), 20, "log loss per impression", "6h", profit
)
BIKE_DEMAND = Script(
    "bike_demand", _utc("2012-01-01T00:00"), _utc("2013-01-01T00:00"), timedelta(days=7), 4, "mean absolute error, rentals per hour", "7D"
)
