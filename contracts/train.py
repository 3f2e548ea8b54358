"""What is fitted, on which rows, and which rows are held out, as pipeline.yaml says it."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from contracts.duration import Duration, parse_duration
from contracts.strict import StrictModel

Window = Duration | Literal["all"]


class Sample(StrictModel):
    """How much of a window is fitted, where it is larger than memory."""

    rows: int = Field(ge=1, description="so many rows, by a seeded hash of their key: the same on any machine")


class Batches(StrictModel):
    """How a window that is larger than memory is fitted whole, by an estimator that has `partial_fit`."""

    rows: int = Field(ge=1, description="of a batch; the window is streamed in order of time, so many rows at once")
    passes: int = Field(1, ge=1, description="how often the window is gone through to learn")


class Train(StrictModel):
    """What is fitted, on which rows, and which rows are held out."""

    window: Window | list[Window] = Field(
        "all", description="how much history before the holdout is fitted; of several, the newest labelled rows before it choose"
    )
    choose_on: Duration | None = Field(None, description="how many of these rows choose among several windows; as train.holdout when null")
    holdout: Duration
    estimator: str
    features: str | None = Field(None, description="module:function shipped in the package")
    encode: Literal["ordinal", "onehot"] | None = Field(None, description="categorical columns; chosen by estimator when null")
    sample: Sample | None = Field(None, description="a window that is larger than memory is streamed, and so many of its rows are fitted")
    batches: Batches | None = Field(None, description="a window larger than memory is streamed into an estimator that takes batches")
    timeout: Duration = Field(parse_duration("6h"), description="a fit that takes longer is stopped, and the run fails")

    @property
    def windows(self) -> tuple[timedelta | None, ...]:
        """The windows to fit; None stands for all history."""
        several = self.window if isinstance(self.window, list) else [self.window]
        return tuple(None if one == "all" else one for one in several)

    @property
    def streamed(self) -> bool:
        """Whether the window may be larger than memory."""
        return self.sample is not None or self.batches is not None

    @property
    def chooses(self) -> timedelta:
        """How many rows before the holdout choose among several windows; none where there is one."""
        return timedelta() if len(self.windows) == 1 else self.choose_on or self.holdout

    @property
    def reach(self) -> timedelta | None:
        """How far before the holdout any row can matter to a fit; None stands for all history."""
        known = [one for one in self.windows if one is not None]
        return max(known) + self.chooses if len(known) == len(self.windows) else None

    @model_validator(mode="after")
    def _windows_differ(self) -> Train:
        if isinstance(self.window, list) and not 1 < len(set(self.window)) == len(self.window):
            raise ValueError("several windows are at least two, all different; write a single one without brackets")
        if self.sample is not None and len(self.windows) > 1:
            raise ValueError("train.sample takes rows of one window, and train.window names several; keep one of them")
        if self.batches is not None and self.sample is not None:
            raise ValueError("train.sample fits some rows of the window and train.batches all of them; keep one of them")
        if self.batches is not None and len(self.windows) > 1:
            raise ValueError("train.batches goes through one window, and train.window names several; keep one of them")
        if self.choose_on is not None and not isinstance(self.window, list):
            raise ValueError("choose_on chooses among several windows, and train.window names one; take choose_on out")
        return self
