"""The real data as worlds that a backtest can walk: bike rentals by the hour, and calls of a bank in the order they were made."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from adapters.pipeline_files import load_pipeline
from adapters.settings import read_settings
from adapters.sources import read_new_rows
from understudy.backtest.world import World

_BANK_SPEC: dict[str, Any] = {
    "name": "bank_calls",
    "task": "binary",
    "clock": "event",
    "source": {"kind": "file", "path": "${UNDERSTUDY_BANK_DATA}"},
    "columns": {"time": "at", "key": ["call"], "target": "y", "label_delay": "1d"},
    "train": {"window": "56d", "holdout": "7d", "estimator": "sklearn.ensemble.HistGradientBoostingClassifier"},
    "gates": [{"metric": "log_loss", "max": 5.0}],
    "rollout": {
        "stages": [{"kind": "shadow", "loss": "log_loss", "block": "12h", "margin": 0.02, "rehearse": "14d", "max_duration": "28d"}],
        "watch": "7d",
    },
    "monitors": {"window": "14d", "error_block": "1d", "max_age": "84d", "cooldown": "7d"},
}
_PER_WEEK = 1000  # the data has an order and no dates: a week stands for a thousand calls
STARTS = {"bike_demand": datetime(2011, 4, 1, tzinfo=UTC), "bank_calls": datetime(2009, 3, 2, tzinfo=UTC)}


def by_error_alone(world: World, rows: pd.DataFrame) -> World:
    """Return the same world, where a champion may grow as old as it likes."""
    spec = world.spec.model_copy(update={"monitors": world.spec.monitors.model_copy(update={"max_age": None})})
    return World(replace(world.pipeline, spec=spec), rows)


def world_of(name: str, data: Path, folder: Path) -> tuple[World, pd.DataFrame]:
    """Return a world and its rows.

    Args:
        data: the folder that holds bike_sharing and bank_marketing.
        folder: where a pipeline may be written.
    """
    place = folder / "pipelines" / name
    if name == "bike_demand":
        os.environ["UNDERSTUDY_BIKE_DATA"] = str(data / "bike_sharing" / "hour.csv")
        shutil.copytree(Path(__file__).parents[2] / "pipelines" / name, place)
    else:
        _write_bank(data / "bank_marketing" / "bank-additional-full.csv", folder, place)
    pipeline = load_pipeline(read_settings(folder / "home", folder / "pipelines"), name)
    rows = read_new_rows(pipeline.spec, None, None)
    return World(pipeline, rows), rows


def _write_bank(source: Path, folder: Path, place: Path) -> None:
    """Write the calls with a time, and their pipeline; how long a call took tells its end, and is left out."""
    rows = pd.read_csv(source, sep=";").drop(columns="duration").rename(columns=lambda name: name.replace(".", "_"))
    numeric = [name for name in rows if rows[name].dtype.kind in "if"]
    words = [name for name in rows if name not in numeric and name != "y"]
    at = pd.Timestamp("2009-01-05", tz="UTC") + pd.to_timedelta(range(len(rows)), unit="s") * (7 * 86_400 // _PER_WEEK)
    rows.assign(call=range(len(rows)), at=at.strftime("%Y-%m-%dT%H:%M:%SZ")).to_csv(folder / "bank.csv", index=False)
    os.environ["UNDERSTUDY_BANK_DATA"] = str(folder / "bank.csv")
    place.mkdir(parents=True)
    spec = {**_BANK_SPEC, "columns": {**_BANK_SPEC["columns"], "features": {"numeric": numeric, "categorical": words}}}
    (place / "pipeline.yaml").write_text(json.dumps(spec))
    (place / "params.yaml").write_text("seed: 0\nestimator: {max_iter: 100, learning_rate: 0.1}\n")
