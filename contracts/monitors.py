"""What is watched and how loud it is, as pipeline.yaml says it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.duration import Duration, parse_duration
from contracts.strict import StrictModel

SeverityName = Literal["info", "warn", "retrain"]


class Severities(StrictModel):
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
    service: SeverityName = Field("warn", description="latency, errors, processors or memory beyond their limit")


class Monitors(StrictModel):
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
    max_age: Duration | None = Field(parse_duration("90d"), description="a champion older than this fires a retrain; null: never")
    min_coverage: float = Field(0.5, ge=0, le=1, description="share of the labels that are due that must have come")
    max_silence: Duration | None = Field(None, description="no traffic for longer than this is worth a word")
    traffic_factor: float = Field(2.0, gt=1, description="so many times more, or fewer, rows than at the same hours before")
    reward_margin: float = Field(0.1, ge=0, description="relative fall of the mean reward that is worth a word")
    max_error_rate: float | None = Field(0.001, ge=0, le=1, description="share of requests that failed by a fault of ours")
    max_latency_p99: float | None = Field(None, gt=0, description="milliseconds of one call of the model, for 99 in 100 rows")
    max_memory: float | None = Field(None, gt=0, description="megabytes of one gateway or shadow process")
    max_processors: float | None = Field(None, gt=0, description="processors that one gateway or shadow process keeps busy")
    severity: Severities = Severities()
    cooldown: Duration = Field(parse_duration("1d"), description="no second retrain for the same cause within this time")
