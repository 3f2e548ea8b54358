"""Limits against the history, from the times of the sample: what held there, with room around it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_ROOM = 2  # times the longest gap of the sample
_STEPS = 3  # a single missing row is no gap
_LEAST_RATIO, _MOST_RATIO = 1.5, 10.0
_USUAL_DAYS = 0.99  # one day in a hundred may be odd: a storm, a closed shop


def propose_checks(times: pd.Series, stale: str) -> dict[str, dict[str, Any]]:
    """Return keys of `checks`: what is certain damage refuses the batch, what may also be the world's doing is only said.

    Args:
        times: event times of the sample, in order.
        stale: how old the newest row may be.
    """
    return {
        "freshness": {"max_age": stale, "severity": "warn"},
        "gaps": {"max_gap": _max_gap(times), "severity": "batch"},
        "volume": {"max_ratio": _max_ratio(times), "severity": "warn"},
        "distribution": {"room": 0.15, "severity": "warn"},
        "association": {"keep": 0.5, "severity": "batch"},
    }


def _max_gap(times: pd.Series) -> str:
    steps = times.drop_duplicates().diff().dropna()
    seconds = max(_ROOM * steps.max(), _STEPS * steps.median()) / timedelta(seconds=1)
    unit, size = next(((unit, size) for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)) if seconds > 2 * size), ("s", 1))
    return f"{max(1, math.ceil(seconds / size))}{unit}"


def _max_ratio(times: pd.Series) -> float:
    from data_checks.history.volume import unusual_days

    found = sorted(day.ratio for day in unusual_days(times, times.iloc[:0]))
    usual = found[math.ceil(_USUAL_DAYS * len(found)) - 1] if found else _MOST_RATIO / 2
    return round(min(_MOST_RATIO, max(_LEAST_RATIO, 1.25 * usual)), 1)
