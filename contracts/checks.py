"""Which suite a batch must meet, and which limits against its pipeline's history."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.duration import Duration, parse_duration
from contracts.strict import StrictModel

Engine = Literal["auto", "columnar", "great_expectations"]


class HistoryCheck(StrictModel):
    """A check of a whole batch against what the pipeline's history leads to expect."""

    severity: Literal["batch", "warn"] = Field("warn", description="batch: a failure refuses the batch; warn: it is only said")


class Freshness(HistoryCheck):
    """How old the newest row may be."""

    max_age: Duration = Field(description="on the pipeline's clock")


class Gaps(HistoryCheck):
    """How long the time without a row may be."""

    max_gap: Duration = Field(description="between two rows, the newest known one included")


class Volume(HistoryCheck):
    """How many rows a day may have, beside the same weekday before."""

    max_ratio: float = Field(2.0, gt=1, description="so many times more, or fewer, than the median of the last eight of that weekday")


class Distribution(HistoryCheck):
    """How far a column may move from the reference."""

    room: float = Field(
        0.15, gt=0, lt=1, description="further than the reference's own stretches moved, as a share of the rows that would have to change"
    )


class Association(HistoryCheck):
    """Whether the features still tell the target."""

    keep: float = Field(0.5, gt=0, lt=1, description="of the rank correlation that a forest has on the reference's own later rows")


class Checks(StrictModel):
    """Which suite, how many rows may be set aside before the batch is refused, and what is held against the history."""

    suite: str = "suite.json"
    expectations: str | None = Field(
        None, pattern=r"^[A-Za-z_]\w*$", description="module beside pipeline.yaml with further expectations, which the suite may name"
    )
    engine: Engine = Field("auto", description="auto: the columnar engine answers what it can, Great Expectations' own engine the rest")
    max_quarantined: float = Field(0.01, ge=0, le=1)
    reference: Duration = Field(parse_duration("365d"), description="how much of the newest snapshot a batch is held against")
    freshness: Freshness | None = None
    gaps: Gaps | None = None
    volume: Volume | None = None
    distribution: Distribution | None = None
    association: Association | None = None
