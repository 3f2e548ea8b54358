"""Rewards: is what the answers brought in (clicks, revenue) less than it was before the window?

Rewards are averaged in blocks, since rows of one block belong together, and each side has an asymptotic confidence sequence of its mean
(stats/confidence_sequence.py), which may be looked at after every block. Before is the same hours of the week.
"""

from __future__ import annotations

import pandas as pd

from contracts.events import Finding, Severity
from contracts.spec import Monitors
from monitoring.error_drift import block_means
from monitoring.reference import same_season
from stats.confidence_sequence import asymptotic_interval

_UNNAMED = "reward"
_MOST_NAMES = 8


def reward_drop(window: pd.DataFrame, before: pd.DataFrame, limits: Monitors) -> tuple[Finding, ...]:
    """Return a finding for each reward: `warn` where the window's upper bound is below before's lower one by more than `reward_margin`.

    A row without a reward counts for nothing: where "no click" is an answer too, send it as 0. Nothing is returned where no rewards come.

    Args:
        window, before: event_time and reward (a number, numbers by name, or missing) of answered rows, by whatever version.
    """
    now, then = _by_name(window), _by_name(before)
    return tuple(_finding(name, now[name], then.get(name, now[name][:0]), limits) for name in sorted(now)[:_MOST_NAMES])


def _by_name(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return event_time and reward of the rows that have it, for each reward; one that came without a name is called `reward`."""
    known = rows.loc[rows["reward"].notna(), ["event_time", "reward"]]
    named = known["reward"].map(lambda one: one if isinstance(one, dict) else {_UNNAMED: float(one)})
    names = sorted({name for one in named for name in one})
    values = {name: named.map(lambda one, name=name: one.get(name)).astype("float64") for name in names}
    return {name: known.assign(reward=column)[column.notna()] for name, column in values.items()}


def _finding(name: str, now: pd.DataFrame, then: pd.DataFrame, limits: Monitors) -> Finding:
    if not then.empty:
        then = then[same_season(then["event_time"], now["event_time"], limits.min_labels)]
    if min(len(now), len(then)) < limits.min_labels:
        reason = f"mean {now['reward'].mean():.4g} over {len(now)} rows; {len(then)} before, {limits.min_labels} of each are needed"
        return Finding("rewards", name, Severity.INFO, None, -limits.reward_margin, None, len(now), reason)
    blocks = [block_means(rows["event_time"], rows["reward"].to_numpy(), limits.error_block) for rows in (now, then)]
    live, past = (asymptotic_interval(one.to_numpy(), limits.alpha / 2) for one in blocks)
    change = live.mean / past.mean - 1 if past.mean > 0 else None
    fell = past.mean > 0 and live.upper < (1 - limits.reward_margin) * past.lower
    told = "" if change is None else f": {change:+.0%} (limit {-limits.reward_margin:+.0%})"
    reason = (
        f"mean {name} {'fell to' if fell else 'is'} {live.mean:.4g} (between {live.lower:.4g} and {live.upper:.4g}) "
        f"where it was {past.mean:.4g} (between {past.lower:.4g} and {past.upper:.4g}){told}"
    )
    return Finding("rewards", name, Severity.WARN if fell else Severity.INFO, change, -limits.reward_margin, None, len(now), reason)
