"""Traffic and labels: how much is asked, how many of the labels that are due have come, and how late. For information only."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from contracts.events import Finding, Severity

_DAY = timedelta(days=1)


def traffic_volume(times: pd.Series, reference: pd.Series) -> tuple[Finding, ...]:
    """Return one finding: rows a day in the window, as a share of what the training rows had.

    Args:
        times, reference: event times, datetime64[us, UTC], of window and training rows.
    """
    now, then = _per_day(times), _per_day(reference)
    share = None if now is None or not then else now / then
    reason = f"{len(times)} rows" + (f", {now:.0f} a day where the training data has {then:.0f}" if share is not None else "")
    return (Finding("traffic", "rows", Severity.INFO, share, None, None, len(times), reason),)


def label_coverage(asked: pd.DataFrame, due_before: datetime) -> tuple[Finding, ...]:
    """Return one finding: the share of rows whose label is due that have one, and how late they came; none where none is due.

    Args:
        asked: event_time, label (missing where none came) and observed_at, one row for each answered row.
        due_before: labels of rows before this time should be there.
    """
    due = asked[asked["event_time"] <= due_before]
    if due.empty:
        return ()
    known = due[due["label"].notna()]
    hours = (known["observed_at"] - known["event_time"]).dt.total_seconds().median() / 3600
    late = f"; half of them came within {hours:.1f} h" if len(known) else ""
    share = len(known) / len(due)
    reason = f"{share:.1%} of {len(due)} rows whose label is due have one{late}"
    return (Finding("labels", "coverage", Severity.INFO, share, None, None, len(due), reason),)


def _per_day(times: pd.Series) -> float | None:
    span = (times.max() - times.min()) / _DAY if len(times) > 1 else 0.0
    return float(len(times) / span) if span else None
