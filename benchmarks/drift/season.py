"""A daily season without any change: six hours of a day against the same hours before, and against all hours."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binom

from benchmarks.drift.windows import NUMERIC, population
from benchmarks.frame import Bench, Row
from benchmarks.peers.drift_ours import judge, look
from contracts.spec import Monitors
from monitoring.reference import same_season

_WINDOWS, _DAYS, _PER_HOUR, _HOURS = 120, 21, 40, 6
_SEED = 77
_TESTS = Monitors(min_effect=0.0)
_STATED = 0.05


def season_alarms(bench: Bench, windows: int = _WINDOWS) -> None:
    """Add the share of windows with an alarm: by test, where chance may alarm at the stated rate, and as shipped, where nothing may."""
    random = np.random.default_rng(_SEED)
    counts = np.zeros((windows, 3), dtype=bool)
    for number in range(windows):
        rows = _traffic(random)
        begin = rows["at"].iloc[-1].normalize() + pd.Timedelta(hours=_HOURS * int(random.integers(0, 24 // _HOURS)))
        inside = rows["at"].between(begin, begin + pd.Timedelta(hours=_HOURS), inclusive="left")
        before, window = rows[rows["at"] < begin.normalize()], rows[inside]
        alike = before[same_season(before["at"], window["at"], _TESTS.min_rows)]
        counts[number] = [_alarm(alike, window), _alarm(before, window), _alarms_as_shipped(alike, window)]
    ours, all_hours, shipped = counts.mean(axis=0)
    limit = float(binom.ppf(0.95, windows, _STATED)) / windows
    what = f"false alarms in {windows} windows of a daily season, same hours compared; against all hours {all_hours:.3g}"
    bench.add(Row(what, float(ours), bar=limit))
    bench.add(Row(f"false alarms in {windows} windows of a daily season, all monitors as shipped", float(shipped), bar=0))


def _alarm(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    return any(one.severity != "info" for one in look(reference, window, _TESTS) if one.monitor in ("data_drift", "missing"))


def _alarms_as_shipped(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    return any(loud for what, loud in judge(reference, window).items() if what.startswith("shipped"))


def _traffic(random: np.random.Generator) -> pd.DataFrame:
    """Return three weeks and a day of traffic whose numbers follow the hour."""
    hours = pd.date_range("2026-03-02", periods=24 * (_DAYS + 1), freq="h", tz="UTC").astype("datetime64[us, UTC]")
    at = pd.Series(hours.repeat(_PER_HOUR))
    frame = population(random, len(at))
    wave = np.sin(2 * np.pi * at.dt.hour.to_numpy() / 24)
    for name in NUMERIC:
        frame[name] = frame[name] + 2 * wave * frame[name].std()
    night = (at.dt.hour < _HOURS).to_numpy() & (random.random(len(at)) < 0.6)
    frame.loc[night, "device"] = "device2"
    return frame.assign(at=at)
