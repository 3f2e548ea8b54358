"""pipeline.yaml as types: unknown keys, wrong types and contradictions are refused here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from contracts.columns import RESERVED
from contracts.duration import Duration, parse_duration
from contracts.package import Task
from contracts.source import DvcSource as DvcSource
from contracts.source import FileSource as FileSource
from contracts.source import HttpSource as HttpSource
from contracts.source import S3Source as S3Source
from contracts.source import SimulatorSource as SimulatorSource
from contracts.source import Source as Source
from contracts.source import SqlSource as SqlSource
from contracts.source import TableFiles as TableFiles

LossName = Literal["absolute_error", "squared_error", "log_loss", "brier"]
MetricName = Literal["mae", "rmse", "r2", "log_loss", "brier", "auc", "accuracy"]
METRICS_OF: dict[Task, tuple[MetricName, ...]] = {
    "regression": ("mae", "rmse", "r2"),
    "binary": ("log_loss", "brier", "auc", "accuracy"),
    "multiclass": ("log_loss", "accuracy"),
}
LOSSES_OF: dict[Task, tuple[LossName, ...]] = {
    "regression": ("absolute_error", "squared_error"),
    "binary": ("log_loss", "brier"),
    "multiclass": ("log_loss", "brier"),
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeParts(_Model):
    """A time put together from several columns, joined by one space and read with a strptime format."""

    from_: list[str] = Field(alias="from", min_length=1)
    format: str


class Features(_Model):
    """The columns the model sees, as clients send them."""

    numeric: list[str] = []
    categorical: list[str] = []

    @property
    def all(self) -> list[str]:
        """Numeric, then categorical."""
        return [*self.numeric, *self.categorical]


class Columns(_Model):
    """Which column means what."""

    time: str | TimeParts
    time_format: str | None = Field(None, description="strptime format of a single time column; ISO 8601 when absent")
    timezone: str = "UTC"
    key: list[str] = Field([], description="identifies a row: duplicates are late corrections")
    target: str
    label_delay: Duration = Field(parse_duration("0s"), description="when the truth is known, after the event")
    attribution: Duration | None = Field(None, description="how long after the event a label may still come; label_delay when null")
    unit: str | None = Field(None, description="who is assigned in A/B; the request when null")
    features: Features

    @property
    def labels_due(self) -> timedelta:
        """How long after its event a row is waited for before it is judged with or without a label."""
        return self.label_delay if self.attribution is None else self.attribution

    @model_validator(mode="after")
    def _disjoint(self) -> Columns:
        seen = self.features.all
        if self.target in seen:
            raise ValueError(f"column '{self.target}' is target and feature at once; take it out of features")
        twice = sorted({name for name in seen if seen.count(name) > 1})
        if twice:
            raise ValueError(f"column '{twice[0]}' is listed twice in features; keep it once")
        if not seen:
            raise ValueError("no feature is named; list at least one under features.numeric or features.categorical")
        if self.labels_due < self.label_delay:
            raise ValueError(
                "columns.attribution is shorter than label_delay: no label would ever be there in time; make it longer or drop it"
            )
        taken = [name for name in [*seen, self.target] if name in RESERVED]
        if taken:
            raise ValueError(f"column name '{taken[0]}' is used by Understudy itself; rename it at the source")
        return self


Window = Duration | Literal["all"]


class Train(_Model):
    """What is fitted, on which rows, and which rows are held out."""

    window: Window | list[Window] = Field(
        "all", description="how much history before the holdout is fitted; of several, the newest labelled rows before it choose"
    )
    choose_on: Duration | None = Field(None, description="how many of these rows choose among several windows; as train.holdout when null")
    holdout: Duration
    estimator: str
    features: str | None = Field(None, description="module:function shipped in the package")
    encode: Literal["ordinal", "onehot"] | None = Field(None, description="categorical columns; chosen by estimator when null")
    timeout: Duration = Field(parse_duration("6h"), description="a fit that takes longer is stopped, and the run fails")

    @property
    def windows(self) -> tuple[timedelta | None, ...]:
        """The windows to fit; None stands for all history."""
        several = self.window if isinstance(self.window, list) else [self.window]
        return tuple(None if one == "all" else one for one in several)

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
        if self.choose_on is not None and not isinstance(self.window, list):
            raise ValueError("choose_on chooses among several windows, and train.window names one; take choose_on out")
        return self


class Checks(_Model):
    """Which suite, and how many rows may be set aside before the batch is refused."""

    suite: str = "suite.json"
    max_quarantined: float = Field(0.01, ge=0, le=1)


class OfflineGate(_Model):
    """One limit a candidate must meet on the held-out rows; with `slice`, in every value of that column."""

    metric: MetricName
    max: float | None = None
    min: float | None = None
    max_regression: float | None = Field(None, description="relative: 0.02 allows 2 % worse than the champion")
    slice: str | None = None
    min_rows: int = Field(30, description="slices with fewer rows are not judged")

    @model_validator(mode="after")
    def _has_limit(self) -> OfflineGate:
        if self.max is None and self.min is None and self.max_regression is None:
            raise ValueError("a gate needs a limit: max, min or max_regression")
        return self


class _Timed(_Model):
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


class SliceGuardrail(_Model):
    """In no value of a column may the loss per request be worse by more than the margin."""

    column: str
    margin: float = Field(ge=0, description="how much worse the loss per request of a slice may be, in the loss's unit")


class Guardrails(_Model):
    """Live behaviour that must not get worse; a limit that is null is not judged."""

    error_rate: float | None = 0.001
    non_finite: float | None = Field(0.0, ge=0, lt=1, description="share of answers that are no finite number")
    latency_p99_ratio: float | None = None
    prediction_psi: float | None = None
    worst_slice: SliceGuardrail | None = None


class ApprovalRule(_Model):
    """What becomes of a candidate that nobody has approved; on the pipeline's clock."""

    expires: Duration = Field(parse_duration("7d"), description="how long a person is asked, with `promotion: manual`")
    then: Literal["abort", "pause"] = Field("abort", description="what happens when nobody answered")


class RolloutSpec(_Model):
    """How a candidate becomes champion."""

    alpha: float = Field(0.05, gt=0, lt=1)
    stages: list[Stage] = Field(min_length=1)
    guardrails: Guardrails = Guardrails()
    watch: Duration = parse_duration("7d")
    promotion: Literal["automatic", "manual"] = Field("automatic", description="manual: a person is asked once the evidence is in")
    approval: ApprovalRule = ApprovalRule()
    max_errors: int = Field(3, ge=1, description="ERROR outcomes in a row before the rollout pauses")

    @model_validator(mode="after")
    def _shadow_first(self) -> RolloutSpec:
        if self.stages[0].kind != "shadow":
            raise ValueError("the first stage is not a shadow; no user meets a version that never rehearsed")
        return self

    @property
    def shadows(self) -> list[ShadowStage]:
        """The stages that no user sees; there is at least one."""
        return [stage for stage in self.stages if isinstance(stage, ShadowStage)]

    @property
    def reward(self) -> str | None:
        """The reward that the first stage after the shadow judges by; None where none does."""
        return next((stage.reward for stage in self.stages if not isinstance(stage, ShadowStage)), None)

    def shadow_at(self, index: int) -> ShadowStage:
        """Return the shadow stage of an index, or the last one before it."""
        return next(stage for stage in reversed(self.stages[: index + 1]) if isinstance(stage, ShadowStage))


class Schedule(_Model):
    """When the flows run: cron lines, null for none; and what happens to runs that were missed."""

    retrain: str | None = None
    rollout: str | None = "*/5 * * * *"
    monitor: str | None = "0 * * * *"
    timezone: str = Field("UTC", description="IANA name of the zone that the cron lines are in")
    catch_up: Literal["one", "none"] = Field("one", description="after downtime: one run for all that were missed, or none")

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone '{name}'; take a name such as UTC or Europe/Berlin") from error
        return name


SeverityName = Literal["info", "warn", "retrain"]


class Severities(_Model):
    """How loud each monitor is when it fires: info is kept only, warn opens an alert, retrain asks for a refit."""

    data_drift: SeverityName = Field("warn", description="a column's distribution moved")
    missing: SeverityName = Field("warn", description="a column's share of missing values moved")
    unseen: SeverityName = Field("warn", description="categories that no training row had")
    multivariate_drift: SeverityName = Field("warn", description="a classifier tells the window from the reference")
    outliers: SeverityName = Field("warn", description="too many rows are unlike the training rows")
    prediction_drift: SeverityName = Field("warn", description="the champion's answers moved")
    error_drift: SeverityName = Field("retrain", description="the loss on labels rose beyond what was expected")
    max_age: SeverityName = Field("retrain", description="the champion is older than it may be")
    labels: SeverityName = Field("warn", description="labels that are due are missing or late")
    freshness: SeverityName = Field("warn", description="no traffic for too long")
    traffic: SeverityName = Field("warn", description="much more or fewer rows than at the same hours before")
    rewards: SeverityName = Field("warn", description="the reward (clicks, revenue) fell")
    service: SeverityName = Field("warn", description="latency, errors or memory beyond their limit")


class Monitors(_Model):
    """What is watched, and when it fires a retrain."""

    window: Duration = parse_duration("7d")
    fdr: float = Field(0.05, gt=0, lt=1, description="false-discovery rate over all columns")
    min_effect: float = Field(0.1, description="population stability index below which drift is not worth a word")
    min_auc: float = Field(0.55, ge=0.5, le=1, description="area under the curve below which telling rows apart is not worth a word")
    max_outliers: float = Field(0.05, ge=0, le=1, description="share of rows unlike the training rows; of those one in a hundred is")
    min_rows: int = Field(200, ge=1)
    min_labels: int = Field(100, ge=1)
    error_margin: float = Field(0.1, description="relative rise of the loss over its held-out value that fires a retrain")
    error_block: Duration = Field(parse_duration("1h"), description="rows of one block are averaged: they belong together")
    alpha: float = Field(0.05, gt=0, lt=1, description="chance per window of a false alarm about the error, and about the reward")
    max_age: Duration | None = Field(None, description="a champion older than this fires a retrain")
    min_coverage: float = Field(0.5, ge=0, le=1, description="share of the labels that are due that must have come")
    max_silence: Duration | None = Field(None, description="no traffic for longer than this is worth a word")
    traffic_factor: float = Field(2.0, gt=1, description="so many times more, or fewer, rows than at the same hours before")
    reward_margin: float = Field(0.1, ge=0, description="relative fall of the mean reward that is worth a word")
    max_error_rate: float | None = Field(0.001, ge=0, le=1, description="share of requests that failed by a fault of ours")
    max_latency_p99: float | None = Field(None, gt=0, description="milliseconds of one call of the model, for 99 in 100 rows")
    max_memory: float | None = Field(None, gt=0, description="megabytes of one gateway or shadow process")
    severity: Severities = Severities()
    cooldown: Duration = Field(parse_duration("1d"), description="no second retrain for the same cause within this time")


class PipelineSpec(_Model):
    """One model that is kept true: pipelines/NAME/pipeline.yaml."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    task: Task
    clock: Literal["wall", "event"] = Field("wall", description="event: time is what the data says (replays, simulators)")
    source: Source
    columns: Columns
    train: Train
    checks: Checks = Checks()
    gates: list[OfflineGate] = Field(min_length=1)
    rollout: RolloutSpec
    schedule: Schedule = Schedule()
    monitors: Monitors = Monitors()

    @field_validator("columns")
    @classmethod
    def _time_is_a_column(cls, columns: Columns, info: ValidationInfo) -> Columns:
        if isinstance(info.data.get("source"), SqlSource) and not isinstance(columns.time, str):
            raise ValueError("a database is asked by one time column; put it together in source.query and name it under columns.time")  # noqa: TRY004  # pydantic's way
        return columns

    @field_validator("gates")
    @classmethod
    def _metrics_fit_task(cls, gates: list[OfflineGate], info: ValidationInfo) -> list[OfflineGate]:
        for gate in gates:
            _check_fit("metric", gate.metric, METRICS_OF, info.data.get("task"))
        return gates

    @field_validator("rollout")
    @classmethod
    def _losses_fit_task(cls, rollout: RolloutSpec, info: ValidationInfo) -> RolloutSpec:
        for stage in rollout.shadows:
            _check_fit("loss", stage.loss, LOSSES_OF, info.data.get("task"))
        return rollout

    @field_validator("rollout")
    @classmethod
    def _slice_is_logged(cls, rollout: RolloutSpec, info: ValidationInfo) -> RolloutSpec:
        columns, sliced = info.data.get("columns"), rollout.guardrails.worst_slice
        if sliced is not None and isinstance(columns, Columns) and sliced.column not in columns.features.all:
            raise ValueError(f"guardrails.worst_slice names column '{sliced.column}', which is no feature; the log has features only")
        return rollout


def _check_fit(what: str, name: str, known: Mapping[Task, tuple[str, ...]], task: Task | None) -> None:
    if task is not None and name not in known[task]:
        raise ValueError(f"{what} '{name}' does not fit task '{task}'; take one of {', '.join(known[task])}")


class Params(_Model):
    """params.yaml: the pinned hyperparameters and the seed; nothing else decides a fit's randomness."""

    seed: int = 0
    estimator: dict[str, float | int | str | bool | None] = {}
