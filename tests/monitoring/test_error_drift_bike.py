"""Error drift on real bike demand: its days in random order are a world without drift, in which no retrain is asked for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor

from contracts.events import Severity
from contracts.spec import Monitors
from monitoring.error_drift import block_means, error_drift, expectation

DAY = timedelta(days=1)
LIMITS = Monitors(window=14 * DAY, error_block=DAY)
COLUMNS = ["season", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed"]


def shuffled_days(real_data: Path, seed: int) -> pd.DataFrame:
    frame = pd.read_csv(real_data / "bike_sharing" / "hour.csv")
    days = frame["dteday"].unique()
    order = np.random.default_rng(seed).permutation(len(days))
    dates = dict(zip(days, pd.date_range("2011-01-01", periods=len(days), tz="UTC")[order], strict=True))
    frame["at"] = (frame["dteday"].map(dates) + pd.to_timedelta(frame["hr"], unit="h")).astype("datetime64[us, UTC]")
    return frame.sort_values("at", ignore_index=True)


def alarms(real_data: Path, seed: int) -> int:
    """Alarms in a year of weekly looks at a model that was fitted on the year before."""
    rows = shuffled_days(real_data, seed)
    live = pd.Timestamp("2012-01-01", tz="UTC")
    fitted = rows[rows["at"] < live - 14 * DAY]
    model = ExtraTreesRegressor(n_estimators=15, min_samples_leaf=3, random_state=0).fit(fitted[COLUMNS], fitted["cnt"])
    losses = np.abs(model.predict(rows[COLUMNS]) - rows["cnt"].to_numpy())
    held_out, after = (rows["at"].between(live - 14 * DAY, live, inclusive="left"), rows["at"] >= live)
    expected = expectation(block_means(rows["at"][held_out], losses[held_out], DAY), LIMITS)
    looks = pd.date_range(live + 7 * DAY, rows["at"].max(), freq="7D")
    seen = [after & (rows["at"] < at) for at in looks]
    said = [error_drift(expected, rows["at"][known], losses[known], "mae", at, LIMITS)[0] for known, at in zip(seen, looks, strict=True)]
    return sum(one.severity is Severity.RETRAIN for one in said)


def test_days_in_random_order_never_ask_for_a_retrain(real_data: Path) -> None:
    assert [alarms(real_data, seed) for seed in range(3)] == [0, 0, 0]
