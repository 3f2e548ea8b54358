"""Age: a champion that is older than it may be is refitted, whatever the other monitors say: a slow drift can stay under every limit."""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts.duration import format_duration
from contracts.events import Finding, Severity


def champion_age(since: datetime | None, now: datetime, most: timedelta | None) -> tuple[Finding, ...]:
    """Return one finding: `retrain` where the champion has been in office for longer than `most`; none where there is no limit.

    Args:
        since, now: on the pipeline's clock.
    """
    if since is None or most is None:
        return ()
    age = now - since
    severity = Severity.RETRAIN if age > most else Severity.INFO
    reason = f"the champion has answered for {age / timedelta(days=1):.1f} d; it may for {format_duration(most)}"
    return (Finding("max_age", "champion", severity, age / most, 1.0, None, 1, reason),)
