"""Has each day about as many rows as the same weekday had before?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

import pandas as pd

from contracts.checks import Volume
from contracts.verdict import Verdict
from data_checks.history.saying import judged, not_judged

_WEEKS = 8
_FEWEST = 3  # same weekdays before, so that one odd day does not set the measure
_CHANCE = 4.0  # standard deviations of a count: what chance alone does to few rows
_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True, slots=True)
class Day:
    """A day's rows beside the median of the same weekday before it; `ratio` is at least 1 and infinite for a day without rows."""

    day: pd.Timestamp
    rows: int
    usual: float
    ratio: float


def volume(check: Volume, times: pd.Series, before: pd.Series, timezone: str = "UTC") -> Verdict:
    """Hold the rows of each complete day against the same weekday's.

    Args:
        check: the limit.
        times: event times of the batch.
        before: event times of the reference.
        timezone: in which a day begins at midnight.
    """
    days = unusual_days(times, before, timezone)
    if not days:
        return not_judged("volume", f"no complete day of the batch has {_FEWEST} of its weekday before it.")
    worst = max(days, key=lambda day: day.ratio)
    usual = f"{_DAYS[worst.day.weekday()]} before had {worst.usual:g}"
    reason = f"{worst.day:%Y-%m-%d} has {worst.rows} rows, and {usual}; at most {check.max_ratio:g} times more or fewer are allowed."
    return judged("volume", check, worst.ratio, check.max_ratio, len(days), reason, met=worst.ratio <= check.max_ratio)


def unusual_days(times: pd.Series, before: pd.Series, timezone: str = "UTC") -> list[Day]:
    """Return every day of the batch that is complete and has enough of its weekday before it, in the reference or in the batch.

    The last day is not complete, and the very first may not be.
    """
    new, past = _local_days(times, timezone), _local_days(before, timezone)
    counts = pd.concat([past, new]).value_counts()
    whole = pd.date_range(counts.index.min() + pd.Timedelta(days=1), counts.index.max() - pd.Timedelta(days=1))
    rows = {day: int(counts.get(day, 0)) for day in whole}
    found = []
    for day in (one for one in whole if one >= new.min()):
        same = [rows[one] for one in (day - pd.Timedelta(weeks=week) for week in range(1, _WEEKS + 1)) if one in rows]
        if len(same) >= _FEWEST and median(same) > 0:
            found.append(_day(day, rows[day], float(median(same))))
    return found


def _local_days(times: pd.Series, timezone: str) -> pd.Series:
    days: pd.Series = times.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()
    return days


def _day(day: pd.Timestamp, rows: int, usual: float) -> Day:
    if abs(rows - usual) <= _CHANCE * math.sqrt(usual):
        return Day(day, rows, usual, 1.0)
    return Day(day, rows, usual, max(rows / usual, usual / rows) if rows else math.inf)
