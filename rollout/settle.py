"""Settle: tick upon tick until one holds, live and in a backtest."""

from __future__ import annotations

from collections.abc import Callable

from contracts.rollout import Act

MOST_TICKS = 6  # at one time: a watch ends, the next candidate starts, is promoted and watched; and one to spare

_ENDS = {Act.HOLD, Act.REPAIR}  # errors are counted by the schedule's ticks: tried again at once they would soon be too many


def settle(tick: Callable[[], Act], between: Callable[[], None] = lambda: None) -> list[Act]:
    """Tick until nothing more is decided, or a tick repaired, and return what was done; at most `MOST_TICKS`.

    Args:
        tick: takes one step and returns what it did.
        between: what lies between two steps, such as the time that gateways take to follow.

    >>> left = [Act.PROMOTE, Act.WATCH, Act.HOLD, Act.HOLD]
    >>> [act.value for act in settle(lambda: left.pop(0))]
    ['promote', 'watch', 'hold']
    """
    acts: list[Act] = []
    while len(acts) < MOST_TICKS:
        acts.append(tick())
        if acts[-1] in _ENDS:
            break
        between()
    return acts
