"""The traffic log's frames, made in memory with the columns that adapters.traffic_frames gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.rollout import ModelRef
from rollout.contest import Contest
from rollout.pairs import Heard

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def model(version: str, cutoff: datetime = LONG_AGO) -> ModelRef:
    return ModelRef(version, f"digest-{version}", f"file:///models/{version}", "s1", cutoff)


REHEARSAL = Contest(model("2"), model("1"), epoch=2)
WATCH = Contest(model("2"), model("1"), epoch=3, watching=True)


def ids(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


def times(count: int, start: datetime = START) -> pd.Series[Any]:
    return pd.Series(pd.date_range(start, periods=count, freq="1h", unit="us"))


def answers(predictions: Sequence[Any], version: str = "1", epoch: int = 1, start: datetime = START, latency: Any = 1.0) -> pd.DataFrame:
    """One row an hour, each its own micro-batch."""
    count = len(predictions)
    return pd.DataFrame(
        {
            "request_id": pd.Series(ids(count), dtype="str"),
            "row": np.zeros(count, dtype="int64"),
            "event_time": times(count, start),
            "version": pd.Series([version] * count, dtype="str"),
            "epoch": np.full(count, epoch),
            "arm": pd.Series(["champion"] * count, dtype="str"),
            "prediction": list(predictions),
            "latency_ms": np.broadcast_to(np.asarray(latency, dtype=float), count),
            "batch": np.arange(count),
        }
    )


def shadow(predictions: Sequence[Any], epoch: int = 2, errors: Sequence[str | None] | None = None, latency: Any = 1.0) -> pd.DataFrame:
    frame = answers(predictions, epoch=epoch, latency=latency).drop(columns=["event_time", "version", "arm"])
    return frame.assign(error=pd.Series(errors or [None] * len(frame), dtype="object"))


def feedback(labels: Sequence[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {"request_id": pd.Series(ids(len(labels)), dtype="str"), "row": np.zeros(len(labels), dtype="int64"), "label": labels}
    )


def failures(count: int = 0, version: str = "2", epoch: int = 3) -> pd.DataFrame:
    names = [f"failed{number}" for number in range(count)]
    return pd.DataFrame({"request_id": names, "version": [version] * count, "epoch": [epoch] * count, "batch": np.arange(count)})


def heard(live: pd.DataFrame, labels: Sequence[Any], judged: pd.DataFrame | None = None, against: pd.DataFrame | None = None) -> Heard:
    nothing = shadow([])
    return Heard(live, feedback(labels), nothing if judged is None else judged, nothing if against is None else against, failures())
