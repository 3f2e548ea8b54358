"""From when rows came: how much is held out, what belongs together, how long a candidate rehearses and is watched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from contracts.duration import parse_duration
from contracts.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_FEWEST_BLOCKS = 60
_FEWEST_HELD_OUT = 30
_LONG = parse_duration("360d")  # a history so long is cut: old rows come from another world
_ENOUGH = 1000  # rows that a cut history must keep


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Durations as pipeline.yaml writes them, and cron lines."""

    block: str
    holdout: str
    window: str
    rehearse: str
    max_duration: str
    watch: str
    monitored: str
    max_age: str
    cooldown: str
    retrain: str
    stale: str


# block -> held out, rehearsed, longest stage, watched, monitored, oldest champion, cool-down, when to retrain, oldest newest row
_BY_BLOCK = {
    "1m": ("1h", "2h", "1d", "2h", "2h", "1d", "1h", "0 * * * *", "3h"),
    "1h": ("1d", "3d", "7d", "1d", "1d", "7d", "6h", "0 3 * * *", "3d"),
    "1d": ("14d", "28d", "14d", "7d", "7d", "35d", "1d", "0 3 * * 1", "21d"),
    "7d": ("84d", "182d", "84d", "28d", "84d", "182d", "28d", "0 3 1 * *", "84d"),
    "28d": ("336d", "728d", "364d", "84d", "364d", "364d", "84d", "0 3 1 */3 *", "364d"),
}


def find_rhythm(times: pd.Series) -> Rhythm:
    """Return durations that suit the span and the spacing of the rows.

    Args:
        times: datetime64[us, UTC], in order.

    Raises:
        UsageError: all rows have one time, or too few come before the rows to hold out.
    """
    distinct = times.drop_duplicates()
    span = times.iloc[-1] - times.iloc[0]
    if len(distinct) < 3:
        raise UsageError(f"The rows have only {len(distinct)} different time(s).", "Give a file that covers a stretch of time.")
    step = timedelta(seconds=float(distinct.diff().dt.total_seconds().median()))
    long_enough = [block for block in _BY_BLOCK if parse_duration(block) >= step]
    fine = [block for block in ("1m", "1h", "1d") if span / parse_duration(block) >= _FEWEST_BLOCKS and block in long_enough]
    block = fine[-1] if fine else (long_enough or ["28d"])[0]
    held, rehearse, longest, watch, monitored, age, cooldown, cron, stale = _BY_BLOCK[block]
    return Rhythm(block, _holdout(times, held), _window(times, span), rehearse, longest, watch, monitored, age, cooldown, cron, stale)


def _holdout(times: pd.Series, wanted: str) -> str:
    """As wanted, but at most a quarter of the span, and longer where that would hold out too few rows."""
    span = times.iloc[-1] - times.iloc[0]
    length = min(parse_duration(wanted), span / 4)
    while (times > times.iloc[-1] - length).sum() < _FEWEST_HELD_OUT and length * 2 <= span / 4:
        length *= 2
    return wanted if length == parse_duration(wanted) else _round(length.total_seconds())


def _round(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(1, int(seconds))}s"


def _window(times: pd.Series, span: pd.Timedelta) -> str:
    recent = (times > times.iloc[-1] - parse_duration("180d")).sum()
    return "180d" if span >= _LONG and recent >= _ENOUGH else "all"
