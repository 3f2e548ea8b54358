"""The stages of a rollout, as pipeline.yaml says them: shadow, A/B, bandit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from contracts.duration import Duration, parse_duration
from contracts.strict import StrictModel

LossName = Literal["absolute_error", "squared_error", "log_loss", "brier"]


class _Timed(StrictModel):
    min_duration: Duration = parse_duration("0s")
    max_duration: Duration = parse_duration("14d")
    on_timeout: Literal["abort", "pause"] = "abort"


class ShadowStage(_Timed):
    """The candidate follows the traffic log; nobody sees its answers."""

    kind: Literal["shadow"]
    loss: LossName
    block: Duration = Field(parse_duration("1h"), description="requests of one block are averaged: they belong together")
    margin: float = Field(0.0, description="how much worse a loss per request may be; 0 asks for better, in the loss's unit")
    rehearse: Duration = Field(parse_duration("0s"), description="how much logged traffic is answered before going live")
    min_blocks: int = Field(8, ge=2)
    bounds: tuple[float, float] | None = Field(
        None, description="least and greatest loss of a request; one beyond them counts as the bound"
    )
    boundary: Literal["auto", "asymptotic", "bernstein"] = Field(
        "auto", description="which confidence sequence; bernstein needs a bounded loss"
    )
    min_label_coverage: float = Field(0.5, ge=0, le=1, description="share of due requests with a label, below which nothing is decided")
    on_label_bias: Literal["wait", "warn"] = Field("wait", description="where labelled and unlabelled requests differ")

    @property
    def bounded(self) -> bool:
        """Whether the loss of a request has known bounds."""
        return self.bounds is not None or self.loss == "brier"

    @model_validator(mode="after")
    def _bounds_fit(self) -> ShadowStage:
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds {list(self.bounds)} are not in order: the least loss comes first, then the greatest")
        if self.boundary == "bernstein" and not self.bounded:
            raise ValueError(
                f"boundary bernstein needs a bounded loss and {self.loss} is not; give bounds: [least, greatest] or use asymptotic"
            )
        return self


class _Exposed(_Timed):
    share: float = Field(0.1, gt=0, lt=1, description="of the units, answered by the candidate; a bandit begins with it")
    reward: str = Field(min_length=1, description="name of a reward in the feedback; `label` or the target's name takes the label")
    per: Literal["unit", "row"] = Field("unit", description="unit: reward of a unit (revenue); row: rewards over rows (click-through rate)")
    absent: Literal["unknown", "zero"] = Field("unknown", description="what a row without a reward is once it is due")
    attribution: Duration = Field(parse_duration("1h"), description="a unit's rows count this long after its first, then it is one sample")
    margin: float = Field(0.0, description="how much less reward there may be; 0 asks for more, in the reward's unit")
    min_units: int = Field(100, ge=2, description="complete units in each arm before anything is decided")


class AbStage(_Exposed):
    """A share of the units is answered by the candidate, always the same ones; their reward decides."""

    kind: Literal["ab"]


class BanditStage(_Exposed):
    """The units go to the versions in proportion to the chance that each is best; read off-policy, their reward decides."""

    kind: Literal["bandit"]
    rewards: Literal["binary", "number"] = Field("number", description="binary: 0 or 1 a row (Beta); number: any (Gaussian)")
    floor: float = Field(0.05, gt=0, lt=0.5, description="least share of every arm, so that each goes on being explored")
    reallocate: Duration = Field(parse_duration("1h"), description="least time between two changes of the shares")
    with_previous: bool = Field(False, description="whether the former champion takes part as a third arm")
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _room_for_all(self) -> BanditStage:
        arms = 3 if self.with_previous else 2
        if self.floor * arms >= 1:
            raise ValueError(f"a floor of {self.floor:g} leaves nothing to move between {arms} arms; set it below {1 / arms:.2g}")
        if not self.floor <= self.share <= 1 - self.floor * (arms - 1):
            raise ValueError(f"a share of {self.share:g} does not respect the floor of {self.floor:g}; begin between the two")
        return self


Stage = Annotated[ShadowStage | AbStage | BanditStage, Field(discriminator="kind")]
