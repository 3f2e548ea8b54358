"""The service itself: latency and failures as they were logged, processors and memory as the processes report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from contracts.events import Finding, Severity
from contracts.spec import Monitors
from contracts.traffic import Hole
from stats.share_interval import share_interval

_MEGABYTE = 1e6


def latency(milliseconds: pd.Series, limits: Monitors) -> tuple[Finding, ...]:
    """Return one finding: how long 99 in 100 rows took at most; `warn` beyond `max_latency_p99`. None where nothing was answered.

    Args:
        milliseconds: of the model's call, one for each row.
    """
    if milliseconds.empty:
        return ()
    p99, most = float(np.quantile(milliseconds, 0.99)), limits.max_latency_p99
    reason = f"99 in 100 rows were answered by a call of {p99:.2f} ms or less" + ("" if most is None else f" (limit {most:g} ms)")
    return (Finding("service", "latency_p99_ms", _warn(most is not None and p99 > most), p99, most, None, len(milliseconds), reason),)


def failures(failed: int, asked: int, limits: Monitors) -> tuple[Finding, ...]:
    """Return one finding: the share of requests that failed by a fault of ours; `warn` where even its lower bound is beyond the limit.

    Args:
        failed: how many of the requests that were `asked`.
    """
    if not asked:
        return ()
    found, most = share_interval(failed, asked, limits.fdr), limits.max_error_rate
    reason = f"{failed} of {asked} requests failed" + (
        "" if most is None else f" (limit {most:.2%}; the share is {found.lower:.2%} or more)"
    )
    return (Finding("service", "error_rate", _warn(most is not None and found.lower > most), found.mean, most, None, asked, reason),)


def unlogged(holes: Sequence[Hole]) -> tuple[Finding, ...]:
    """Return one finding: how many answered rows could not be logged; `warn`. None where all were.

    Args:
        holes: of the traffic log.
    """
    if not holes:
        return ()
    rows = sum(one.rows for one in holes)
    reason = f"{rows} answered rows could not be logged ({holes[-1].error}): no monitor saw them"
    return (Finding("service", "unlogged_rows", Severity.WARN, float(rows), 0.0, None, rows, reason),)


def memory(processes: Mapping[str, int | None], limits: Monitors) -> tuple[Finding, ...]:
    """Return one finding: the memory of the process that has most of it; `warn` beyond `max_memory`. None where none reports it.

    Args:
        processes: bytes in memory by the process's name; None where it does not say.
    """
    known = {name: bytes_ / _MEGABYTE for name, bytes_ in processes.items() if bytes_}
    return _greatest("memory_mb", known, limits.max_memory, "{name} has {most:.0f} MB in memory", " MB")


def processors(processes: Mapping[str, float | None], limits: Monitors) -> tuple[Finding, ...]:
    """Return one finding: the process that keeps most processors busy; `warn` beyond `max_processors`. None where none reports it.

    Args:
        processes: processors kept busy lately by the process's name; None where it does not say.
    """
    known = {name: busy for name, busy in processes.items() if busy is not None}
    return _greatest("processors", known, limits.max_processors, "{name} keeps {most:.2f} processors busy", "")


def _greatest(subject: str, known: Mapping[str, float], limit: float | None, said: str, unit: str) -> tuple[Finding, ...]:
    """Return one finding about the process that uses most; none where nothing is known."""
    if not known:
        return ()
    name, most = max(known.items(), key=lambda one: one[1])
    reason = said.format(name=name, most=most) + ("" if limit is None else f" (limit {limit:g}{unit})")
    return (Finding("service", subject, _warn(limit is not None and most > limit), most, limit, None, len(known), reason),)


def _warn(fired: bool) -> Severity:
    return Severity.WARN if fired else Severity.INFO
