"""Which of the rows that trained the champion a window is held against: those of the same season, where there are enough of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Rows = TypeVar("Rows", pd.DataFrame, "pd.Series[Any]")
_HOUR, _WEEK = timedelta(hours=1), timedelta(days=7)
_YEAR = timedelta(days=364)  # whole weeks, so that weekdays fall on weekdays
_MOST = 50_000  # more rows would sharpen p-values for which no effect size is large enough


def same_season(reference: pd.Series, window: pd.Series, least: int) -> NDArray[np.bool_]:
    """Return which reference rows to compare with.

    The first of these that holds at least `least` rows: the same hours of the week at the same time of a year ago (the window's span and as
    much again on both sides); the same hours of the week in the newest whole weeks; all rows. Rows are chosen, not weighted: a window of
    more than a week that is not of whole weeks holds some hours more often than the reference.

    Args:
        reference, window: event times, datetime64[us, UTC]; the window has at least one.
    """
    if reference.empty:
        return np.ones(0, dtype=bool)
    hours = np.isin(_hour_of_week(reference), _hour_of_week(window).unique())
    first, last = window.min(), window.max()
    span = last - first
    year_ago = hours & reference.between(first - _YEAR - span, last - _YEAR + span).to_numpy()
    weeks = (reference.max() - reference.min() + _HOUR) // _WEEK
    whole_weeks = hours & (reference > reference.max() - weeks * _WEEK).to_numpy() if weeks else hours
    for chosen in (year_ago, whole_weeks):
        if chosen.sum() >= least:
            return chosen
    return np.ones(len(reference), dtype=bool)


def has_season(reference: pd.Series, window: pd.Series, least: int) -> bool:
    """Return whether `same_season` chooses by the hour of the week, and not all rows for want of enough."""
    if reference.empty or window.empty:
        return False
    hours = np.isin(_hour_of_week(reference), _hour_of_week(window).unique())
    return bool(hours[same_season(reference, window, least)].all()) and int(hours.sum()) >= least


def thinned(rows: Rows, most: int = _MOST) -> Rows:
    """Return every n-th row of a frame or column, so that at most `most` are left."""
    return rows.iloc[:: -(-len(rows) // most) or 1]


def _hour_of_week(times: pd.Series) -> pd.Series:
    hours: pd.Series = times.dt.day_of_week * 24 + times.dt.hour
    return hours
