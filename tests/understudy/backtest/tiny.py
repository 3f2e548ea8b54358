"""A tiny world for backtests: a linear truth that turns around on one day, and a pipeline that learns it in milliseconds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.pipeline_files import Pipeline, load_pipeline
from adapters.settings import Settings, read_settings
from adapters.sources import read_new_rows
from understudy.backtest.walk import Calendar
from understudy.backtest.world import World

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SHIFT = BEGIN + 24 * DAY
STEP = 2 * DAY
CALENDAR = Calendar(BEGIN + 8 * DAY, BEGIN + 48 * DAY, STEP)
SPEC: dict[str, Any] = {
    "name": "tiny",
    "task": "regression",
    "clock": "event",
    "source": {"kind": "file", "path": "${TINY_ROWS}"},
    "columns": {"time": "at", "key": ["id"], "target": "y", "label_delay": "6h", "features": {"numeric": ["x", "z"]}},
    "train": {"window": "6d", "holdout": "1d", "estimator": "sklearn.linear_model.Ridge"},
    "gates": [{"metric": "mae", "max": 50}, {"metric": "mae", "max_regression": 0.2}],
    "rollout": {
        "stages": [{"kind": "shadow", "loss": "absolute_error", "block": "2h", "margin": 0.05, "rehearse": "4d", "max_duration": "6d"}],
        "guardrails": {"error_rate": 0.01},
        "watch": "3d",
    },
    "monitors": {"window": "4d", "error_block": "3h", "min_labels": 20, "max_age": "9d", "cooldown": "2d"},
}


def rows(days: int = 48, *, seed: int = 3) -> pd.DataFrame:
    """One row an hour; from SHIFT on the truth is another, and it drifts a little all the time."""
    draw = np.random.default_rng(seed)
    count = days * 24
    at = pd.date_range(BEGIN, periods=count, freq="h").astype("datetime64[us, UTC]")
    x, z = draw.normal(size=count), draw.normal(size=count)
    slope = np.where(at >= SHIFT, -4.0, 4.0) + np.arange(count) / count
    y = 20 + slope * x + z + draw.normal(size=count)
    return pd.DataFrame({"id": range(count), "at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "x": x, "z": z, "y": y})


def settings_of(folder: Path, spec: dict[str, Any] | None = None) -> Settings:
    place = folder / "pipelines" / "tiny"
    place.mkdir(parents=True, exist_ok=True)
    (place / "pipeline.yaml").write_text(json.dumps(spec or SPEC))
    of_ridge = (spec or SPEC)["train"]["estimator"].endswith("Ridge")
    (place / "params.yaml").write_text(f"seed: 0\nestimator: {'{alpha: 1.0}' if of_ridge else '{}'}\n")
    return read_settings(folder / "home", folder / "pipelines")


def pipeline_of(folder: Path, spec: dict[str, Any] | None = None) -> Pipeline:
    return load_pipeline(settings_of(folder, spec), "tiny")


def world_of(folder: Path, frame: pd.DataFrame, monkeypatch: Any, spec: dict[str, Any] | None = None) -> World:
    path = folder / "rows.csv"
    frame.to_csv(path, index=False)
    monkeypatch.setenv("TINY_ROWS", str(path))
    pipeline = pipeline_of(folder, spec)
    return World(pipeline, read_new_rows(pipeline.spec, None, None))
