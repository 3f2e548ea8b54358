"""Traffic and labels: how much is asked, when the last of it came, how many of the labels that are due have come, and how late."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from contracts.duration import format_duration
from contracts.events import Finding, Severity
from contracts.spec import Monitors

_HOURS = 7 * 24
_WEEK = pd.Timedelta(days=7)


def traffic_volume(
    times: pd.Series, before: pd.Series, trained: pd.Series, span: tuple[datetime, datetime], limits: Monitors
) -> tuple[Finding, ...]:
    """Return one finding: rows in the window as a share of what the same hours of the week had; `warn` beyond `traffic_factor`.

    Live traffic is judged by live traffic, once there was a whole week of it; until then the training rows are told beside it, and judge
    nothing: they may have been a sample.

    Args:
        times, before, trained: event times, datetime64[us, UTC], of the window, of live traffic before it, and of the training rows.
        span: the window's beginning and end.
    """
    live = len(before) > 1 and before.max() - before.min() >= _WEEK - pd.Timedelta(hours=1)
    first = span[0] if live or times.empty else times.min().to_pydatetime()  # traffic may have begun within the window
    expected = _expected(before if live else trained, first, span[1])
    where = "came in the weeks before" if live else "are in the training data"
    if expected is None:
        return (Finding("traffic", "rows", Severity.INFO, None, limits.traffic_factor, None, len(times), f"{len(times)} rows"),)
    ratio = len(times) / expected
    fired = live and expected >= limits.min_rows and not 1 / limits.traffic_factor < ratio < limits.traffic_factor
    reason = f"{len(times)} rows; at the same hours of the week {expected:.0f} {where}"
    return (Finding("traffic", "rows", _warn(fired), ratio, limits.traffic_factor, None, len(times), reason),)


def freshness(newest: datetime | None, now: datetime, limits: Monitors) -> tuple[Finding, ...]:
    """Return one finding: for how long nothing was asked; `warn` beyond `max_silence`. None where nothing ever was.

    Args:
        newest: event time of the newest answered row; as `now` on the pipeline's clock.
    """
    if newest is None:
        return ()
    silent = max(now - newest, timedelta())
    most = limits.max_silence
    reason = f"the newest row is {silent.total_seconds() / 3600:.1f} h old" + (
        "" if most is None else f"; it may be {format_duration(most)}"
    )
    hours = None if most is None else most.total_seconds() / 3600
    fired = most is not None and silent > most
    return (Finding("freshness", "traffic", _warn(fired), silent.total_seconds() / 3600, hours, None, 1, reason),)


def label_coverage(asked: pd.DataFrame, due_before: datetime, label_delay: timedelta, limits: Monitors) -> tuple[Finding, ...]:
    """Return the share of rows whose label is due that have none, and how late the others came; nothing where none is due.

    `warn` where fewer than `min_coverage` have one, and where more than half of those that came were later than `label_delay` says.

    Args:
        asked: event_time, label (missing where none came) and observed_at, one row for each answered row.
        due_before: labels of rows before this time should be there.
    """
    due = asked[asked["event_time"] <= due_before]
    if due.empty:
        return ()
    known = due[due["label"].notna()]
    share, enough = len(known) / len(due), len(due) >= limits.min_labels
    reason = f"{share:.1%} of {len(due)} rows whose label is due have one"
    coverage = Finding(
        "labels", "coverage", _warn(enough and share < limits.min_coverage), 1 - share, 1 - limits.min_coverage, None, len(due), reason
    )
    return (coverage, *_delay(known, label_delay, limits))


def _delay(known: pd.DataFrame, label_delay: timedelta, limits: Monitors) -> tuple[Finding, ...]:
    if known.empty:
        return ()
    median = float((known["observed_at"] - known["event_time"]).dt.total_seconds().median()) / 3600
    promised = label_delay.total_seconds() / 3600
    fired = len(known) >= limits.min_labels and 0 < promised < median
    reason = f"half of the labels came within {median:.1f} h" + (f"; columns.label_delay says {promised:.1f} h" if promised else "")
    return (Finding("labels", "delay", _warn(fired), median, promised or None, None, len(known), reason),)


def _expected(reference: pd.Series, first: datetime, last: datetime) -> float | None:
    """Return how many rows the reference's whole weeks (or all of it, where it has none) had at the hours between both times."""
    if len(reference) < 2:
        return None
    end = reference.max().floor("h") + pd.Timedelta(hours=1)
    weeks = int((end - reference.min().floor("h")) / _WEEK)
    begin = end - weeks * _WEEK if weeks else reference.min().floor("h")
    slots = pd.date_range(begin, end, freq="h", inclusive="left")
    counts = np.bincount(_hours(reference[reference >= begin]), minlength=_HOURS) / np.maximum(
        np.bincount(_hours(slots), minlength=_HOURS), 1
    )
    asked = pd.date_range(first, last, freq="h", inclusive="left")
    found = float(counts[_hours(asked)].sum())
    return found or None


def _hours(times: pd.Series | pd.DatetimeIndex) -> np.ndarray:
    index = pd.DatetimeIndex(times)
    return np.asarray(index.day_of_week * 24 + index.hour, dtype=np.int64)


def _warn(fired: bool) -> Severity:
    return Severity.WARN if fired else Severity.INFO
