"""Is the newest row new enough?"""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts.checks import Freshness
from contracts.verdict import Verdict
from data_checks.history.saying import judged, not_judged


def freshness(check: Freshness, newest: datetime, now: datetime | None) -> Verdict:
    """Hold the newest row's age against the limit.

    Args:
        check: the limit.
        newest: greatest event time known, of the batch or of the snapshot before it.
        now: the pipeline's clock; None where nothing tells it yet.
    """
    if now is None:
        return not_judged("freshness", "with `clock: event` it is the traffic that tells the time, and there was none.")
    age = max(now - newest, timedelta())
    reason = f"the newest row is of {newest.isoformat()}, {said(age)} ago; at most {said(check.max_age)} are allowed."
    return judged("freshness", check, age.total_seconds(), check.max_age.total_seconds(), 1, reason, met=age <= check.max_age)


def said(length: timedelta) -> str:
    """Return a duration as people say it.

    >>> said(timedelta(days=3, hours=4)), said(timedelta(minutes=90)), said(timedelta(seconds=5))
    ('3 d 4 h', '1 h 30 min', '5 s')
    """
    seconds = round(length.total_seconds())
    parts = [(seconds // 86_400, "d"), (seconds % 86_400 // 3600, "h"), (seconds % 3600 // 60, "min"), (seconds % 60, "s")]
    shown = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(shown) or "0 s"
