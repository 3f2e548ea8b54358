"""The traffic log as pandas frames, one row per answered row; times are datetime64[us, UTC]."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import pandas as pd

from adapters.traffic_log import TrafficLog
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, ShadowBatch


def _times(values: Iterable[int]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(list(values), unit="us", utc=True).astype("datetime64[us, UTC]"))


def _flat(lists: Iterable[list[Any]]) -> list[Any]:
    return list(chain.from_iterable(lists))


def _repeat(batches: list[Any], name: str) -> list[Any]:
    return _flat([getattr(batch, name)] * len(batch.request_ids) for batch in batches)


def answers(log: TrafficLog) -> pd.DataFrame:
    """Return what users were answered: request_id, row, event_time, version, epoch, arm, prediction, latency_ms, logged_at."""
    batches = log.read(AnsweredBatch, "answers")
    return pd.DataFrame(
        {
            "request_id": _flat(batch.request_ids for batch in batches),
            "row": _flat(batch.rows for batch in batches),
            "event_time": _times(_flat(batch.event_times for batch in batches)),
            "version": _repeat(batches, "version"),
            "epoch": pd.Series(_repeat(batches, "epoch"), dtype="int64"),
            "arm": _repeat(batches, "arm"),
            "prediction": _flat(batch.predictions for batch in batches),
            "latency_ms": pd.Series(_repeat(batches, "latency_us"), dtype="float64") / 1000,
            "logged_at": _times(_repeat(batches, "logged_at")),
        }
    )


def features(log: TrafficLog) -> pd.DataFrame:
    """Return what was asked: the feature columns beside request_id, row, event_time and prediction."""
    batches = log.read(AnsweredBatch, "answers")
    names = list(dict.fromkeys(chain.from_iterable(batch.features for batch in batches)))
    columns = {name: _flat(batch.features.get(name, [None] * len(batch.rows)) for batch in batches) for name in names}
    frame = pd.DataFrame(columns)
    frame["request_id"] = _flat(batch.request_ids for batch in batches)
    frame["row"] = _flat(batch.rows for batch in batches)
    frame["event_time"] = _times(_flat(batch.event_times for batch in batches))
    frame["prediction"] = _flat(batch.predictions for batch in batches)
    return frame


def feedback(log: TrafficLog) -> pd.DataFrame:
    """Return labels and rewards, the last one for each (request_id, row): request_id, row, label, reward, observed_at."""
    batches = log.read(FeedbackBatch, "feedback")
    frame = pd.DataFrame(
        {
            "request_id": _flat(batch.request_ids for batch in batches),
            "row": _flat(batch.rows for batch in batches),
            "label": _flat(batch.labels for batch in batches),
            "reward": _flat(batch.rewards for batch in batches),
            "observed_at": _times(_flat(batch.observed_at for batch in batches)),
            "received_at": _repeat(batches, "received_at"),
        }
    )
    ordered = frame.sort_values("received_at", kind="stable")
    return ordered.drop_duplicates(["request_id", "row"], keep="last").drop(columns="received_at").reset_index(drop=True)


def shadow_answers(log: TrafficLog, version: str) -> pd.DataFrame:
    """Return what a model in shadow answered: request_id, row, version, epoch, prediction, latency_ms, error."""
    batches = log.read(ShadowBatch, f"shadow-{version}")
    return pd.DataFrame(
        {
            "request_id": _flat(batch.request_ids for batch in batches),
            "row": _flat(batch.rows for batch in batches),
            "version": _repeat(batches, "version"),
            "epoch": pd.Series(_repeat(batches, "epoch"), dtype="int64"),
            "prediction": _flat(batch.predictions or [None] * len(batch.rows) for batch in batches),
            "latency_ms": pd.Series(_repeat(batches, "latency_us"), dtype="float64") / 1000,
            "error": pd.Series(_repeat(batches, "error"), dtype="object"),
        }
    )


def failures(log: TrafficLog) -> pd.DataFrame:
    """Return requests that failed through a fault of ours: request_id, version, epoch, error."""
    batches = log.read(FailedBatch, "failures")
    return pd.DataFrame(
        {
            "request_id": _flat(batch.request_ids for batch in batches),
            "version": _repeat(batches, "version"),
            "epoch": pd.Series(_repeat(batches, "epoch"), dtype="int64"),
            "error": _repeat(batches, "error"),
        }
    )
