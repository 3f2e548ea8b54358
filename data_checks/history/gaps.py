"""Is there a time without rows?"""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from contracts.checks import Gaps
from contracts.verdict import Verdict
from data_checks.history.freshness import said
from data_checks.history.saying import judged, not_judged


def gaps(check: Gaps, times: pd.Series, before: datetime | None) -> Verdict:
    """Hold the longest time between two rows against the limit.

    Args:
        check: the limit.
        times: event times of the batch, in any order.
        before: the newest time that is known already; None where there is none.
    """
    known = times if before is None else pd.concat([times, pd.Series([pd.Timestamp(before)], dtype=times.dtype)])
    steps = known.sort_values(ignore_index=True).diff()
    if steps.notna().sum() == 0:
        return not_judged("gaps", "there is only one row.")
    longest = steps.max()
    until = known.sort_values(ignore_index=True)[int(steps.argmax())]
    reason = f"no row for {said(longest)} before {until.isoformat()}; at most {said(check.max_gap)} are allowed."
    met = longest <= check.max_gap
    return judged("gaps", check, longest.total_seconds(), check.max_gap.total_seconds(), len(times), reason, met=bool(met))
