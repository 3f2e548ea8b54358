"""Work queues of a Prefect pool, by priority: where slots are few, who waits goes behind whom."""

from __future__ import annotations

from contracts.events import Cause

# name → priority; the smaller is served first
QUEUES = {"operator": 1, "drift": 2, "cron": 3}
SCHEDULED = "cron"  # where a deployment's own schedule puts its runs

_QUEUE_OF = {Cause.OPERATOR: "operator", Cause.DRIFT: "drift", Cause.NEW_DATA: "drift", Cause.SCHEDULE: SCHEDULED}


def queue_of(cause: Cause) -> str:
    """Return the queue that a run with this cause waits in.

    >>> queue_of(Cause.OPERATOR), queue_of(Cause.NEW_DATA)
    ('operator', 'drift')
    """
    return _QUEUE_OF[cause]
