"""pipeline.yaml as types: unknown keys, wrong types and contradictions are refused here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationInfo, field_validator, model_validator

from contracts.checks import Checks as Checks
from contracts.columns import RESERVED
from contracts.compute import Compute as Compute
from contracts.duration import Duration, parse_duration
from contracts.monitors import Monitors as Monitors
from contracts.monitors import Severities as Severities
from contracts.monitors import SeverityName as SeverityName
from contracts.package import Task
from contracts.source import ColumnRules as ColumnRules
from contracts.source import DvcSource as DvcSource
from contracts.source import FileSource as FileSource
from contracts.source import HttpSource as HttpSource
from contracts.source import ModuleSource as ModuleSource
from contracts.source import Rows as Rows
from contracts.source import S3Source as S3Source
from contracts.source import SimulatorSource as SimulatorSource
from contracts.source import Source as Source
from contracts.source import SqlSource as SqlSource
from contracts.source import TableFiles as TableFiles
from contracts.source import refuse_unfit
from contracts.stages import AbStage as AbStage
from contracts.stages import BanditStage as BanditStage
from contracts.stages import LossName as LossName
from contracts.stages import ShadowStage as ShadowStage
from contracts.stages import Stage as Stage
from contracts.strict import StrictModel
from contracts.train import Train as Train

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


class TimeParts(StrictModel):
    """A time put together from several columns, joined by one space and read with a strptime format."""

    from_: list[str] = Field(alias="from", min_length=1)
    format: str


class Features(StrictModel):
    """The columns the model sees, as clients send them."""

    numeric: list[str] = Field([])
    categorical: list[str] = Field([])

    @property
    def all(self) -> list[str]:
        """Numeric, then categorical."""
        return [*self.numeric, *self.categorical]


class Columns(StrictModel):
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


class OfflineGate(StrictModel):
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


class SliceGuardrail(StrictModel):
    """In no value of a column may the loss per request be worse by more than the margin."""

    column: str
    margin: float = Field(ge=0, description="how much worse the loss per request of a slice may be, in the loss's unit")


class Guardrails(StrictModel):
    """Live behaviour that must not get worse; a limit that is null is not judged."""

    error_rate: float | None = 0.001
    non_finite: float | None = Field(0.0, ge=0, lt=1, description="share of answers that are no finite number")
    latency_p99_ratio: float | None = None
    prediction_psi: float | None = None
    worst_slice: SliceGuardrail | None = None


class ApprovalRule(StrictModel):
    """What becomes of a candidate that nobody has approved; on the pipeline's clock."""

    expires: Duration = Field(parse_duration("7d"), description="how long a person is asked, with `promotion: manual`")
    then: Literal["abort", "pause"] = Field("abort", description="what happens when nobody answered")


class RolloutSpec(StrictModel):
    """How a candidate becomes champion."""

    alpha: float = Field(0.05, gt=0, lt=1)
    stages: list[Stage] = Field(min_length=1)
    guardrails: Guardrails = Guardrails()
    watch: Duration = parse_duration("7d")
    promotion: Literal["automatic", "manual"] = Field("automatic", description="manual: a person is asked once the evidence is in")
    approval: ApprovalRule = ApprovalRule()
    on_hole: Literal["wait", "warn"] = Field("wait", description="where answers that count could not be logged")
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


class Schedule(StrictModel):
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


class PipelineSpec(StrictModel):
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
    compute: Compute = Compute()

    @field_validator("columns")
    @classmethod
    def _fit_the_source(cls, columns: Columns, info: ValidationInfo) -> Columns:
        refuse_unfit(info.data.get("source"), one_time_column=isinstance(columns.time, str), with_key=bool(columns.key))
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


class Params(StrictModel):
    """params.yaml: the pinned hyperparameters and the seed; nothing else decides a fit's randomness."""

    seed: int = 0
    estimator: dict[str, float | int | str | bool | None] = Field({})
