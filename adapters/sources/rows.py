"""What all sources share: a table that was read, downloaded or queried becomes rows with an event time, after the watermark."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from datetime import datetime

import pandas as pd

from adapters.sources.times import event_times, time_columns
from contracts.columns import EVENT_TIME, RESERVED
from contracts.errors import SpecError
from contracts.spec import Columns


def new_rows(tables: Iterable[tuple[str, pd.DataFrame]], columns: Columns, after: datetime | None, until: datetime | None) -> pd.DataFrame:
    """Return the tables' rows with after < event_time <= until, sorted by event time; equal times keep their order.

    Args:
        tables: at least one; where it is from (for messages) and its rows. One is held at a time, beside the rows that are new.
        columns: which column means what.
        after: the newest time that is known already; None for all.
        until: the newest time that is wanted; None for all.

    Raises:
        SpecError: a column is missing, or a time cannot be read.
    """
    frames = []
    for where, frame in tables:
        check_columns(frame.columns, columns, where)
        times = event_times(frame, columns, where)
        keep = pd.Series(data=True, index=frame.index)
        if after is not None:
            keep &= times > after
        if until is not None:
            keep &= times <= until
        frames.append(frame.assign(**{EVENT_TIME: times})[keep])
    rows = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return rows.sort_values(EVENT_TIME, kind="stable", ignore_index=True)


def needed_columns(columns: Columns) -> list[str]:
    """Return the names of the columns that a pipeline cannot do without."""
    return [*time_columns(columns), *columns.key, columns.target, *columns.features.all, *([columns.unit] if columns.unit else [])]


def check_columns(found: Collection[str], columns: Columns, where: str) -> None:
    """Refuse a table that lacks a column, or has one that Understudy adds itself.

    Raises:
        SpecError: names the column, and the nearest that is there.
    """
    for name in needed_columns(columns):
        if name not in found:
            close = difflib.get_close_matches(name, [str(one) for one in found], 1)
            hint = f"Did you mean '{close[0]}'?" if close else f"It has: {', '.join(map(str, list(found)[:20]))}."
            raise SpecError(f"{where} has no column '{name}'.", hint)
    taken = [name for name in RESERVED if name in found and name not in time_columns(columns)]
    if taken:
        raise SpecError(
            f"{where} has a column '{taken[0]}', a name used by Understudy itself.", "Rename it, or name it under columns.time."
        )
