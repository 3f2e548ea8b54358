"""Whether the log that evidence rests on is whole: what was answered and not logged makes a hole, and nobody is promoted over one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import pandas as pd

from contracts.traffic import Hole
from contracts.verdict import Outcome, Verdict

COMPLETE = "traffic_log"  # the gate's name


def first_logged(answers: pd.DataFrame, cutoff: datetime) -> int | None:
    """Return when the first answer that can count was logged, in microseconds: the first after a cutoff; None where there is none."""
    counting = answers.loc[answers["event_time"] > cutoff, "logged_at"]
    return None if counting.empty else round(counting.min().timestamp() * 1e6)


def complete(holes: Sequence[Hole], since: int | None, rule: Literal["wait", "warn"]) -> tuple[Verdict, ...]:
    """Judge whether rows are missing from the log.

    Args:
        since: when the first answer that can count was logged, in microseconds; a hole that ended before it does not matter.
        rule: `wait` makes a hole INCONCLUSIVE, so that nobody is promoted over it; `warn` only says so.

    Returns:
        Nothing where the log is whole. Observed is the number of holes.
    """
    mine = [one for one in holes if since is None or one.last >= since]
    if not mine:
        return ()
    first, last = (datetime.fromtimestamp(at / 1e6, UTC) for at in (mine[0].began, max(one.last for one in mine)))
    said = (
        f"{sum(one.rows for one in mine)} rows answered between {first:%Y-%m-%d %H:%M:%S} and {last:%Y-%m-%d %H:%M:%S} UTC are not in the "
        f"traffic log ({mine[0].error}): the evidence is not complete"
    )
    outcome = Outcome.INCONCLUSIVE if rule == "wait" else Outcome.PASS
    return (Verdict(COMPLETE, outcome, float(len(mine)), 0.0, 0, said),)
