"""What all sources share: a table that was read, downloaded or queried becomes rows with an event time, after the watermark."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Generator, Iterable, Iterator
from datetime import datetime

import pandas as pd

from adapters.joined import joined
from adapters.sources.times import event_times, time_columns
from contracts.columns import EVENT_TIME, RESERVED
from contracts.errors import SpecError
from contracts.spec import Columns

_DELIMITERS = (";", "\t", "|", ",")
_COMMA = re.compile(r"[-+]?\d{1,3}(?:[. ]?\d{3})*,\d+|[-+]?\d+,\d+")
_LOOKED_AT = 100  # values of a column
Table = tuple[str, pd.DataFrame]  # where it is from, for messages, and rows
Tables = Generator[Table, None, None]


def new_tables(tables: Iterable[Table], columns: Columns, after: datetime | None, until: datetime | None, *, fill: bool = False) -> Tables:
    """Yield each table's rows with after < event_time <= until, in their order.

    Args:
        tables: as a source has them; one is held at a time.
        columns: which column means what.
        after: the newest time that is known already; None for all.
        until: the newest time that is wanted; None for all.
        fill: features may be missing.

    Raises:
        SpecError: a column is missing, a number is text with a decimal comma, or a time cannot be read.
    """
    for where, frame in tables:
        check_columns(frame.columns, columns, where, fill=fill)
        _refuse_decimal_commas(frame, columns, where)
        times = event_times(frame, columns, where)
        keep = pd.Series(data=True, index=frame.index)
        if after is not None:
            keep &= times > after
        if until is not None:
            keep &= times <= until
        yield where, frame.assign(**{EVENT_TIME: times})[keep]


def sorted_rows(tables: Iterable[Table]) -> pd.DataFrame:
    """Return all tables' rows sorted by event time; equal times keep their order."""
    return _sorted([frame for _, frame in tables])


def parts_of(tables: Iterable[Table], rows: int) -> Iterator[pd.DataFrame]:
    """Yield tables of exactly so many rows, the last one of fewer, each sorted by event time; of no rows, nothing.

    Which rows make a part depends on their order alone, and not on how many were read at a time.
    """
    held: list[pd.DataFrame] = []
    count = 0
    for _, frame in tables:
        held.append(frame)
        count += len(frame)
        while count >= rows:
            whole = joined(held)
            yield _sorted([whole.iloc[:rows]])
            held, count = [whole.iloc[rows:]], count - rows
    if count:
        yield _sorted(held)


def _sorted(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return joined(frames).sort_values(EVENT_TIME, kind="stable", ignore_index=True)


def needed_columns(columns: Columns) -> list[str]:
    """Return the names of the columns that a pipeline cannot do without."""
    return [*time_columns(columns), *columns.key, columns.target, *columns.features.all, *([columns.unit] if columns.unit else [])]


def check_columns(found: Collection[str], columns: Columns, where: str, *, fill: bool = False) -> None:
    """Refuse a table that lacks a column, or has one that Understudy adds itself.

    Args:
        fill: features may be missing.

    Raises:
        SpecError: names the column, and the nearest that is there.
    """
    dispensable = set(columns.features.all) - {*columns.key, *time_columns(columns)} if fill else set()
    for name in needed_columns(columns):
        if name not in found and name not in dispensable:
            raise SpecError(f"{where} has no column '{name}'.", _hint(name, [str(one) for one in found]))
    taken = [name for name in RESERVED if name in found and name not in time_columns(columns)]
    if taken:
        raise SpecError(
            f"{where} has a column '{taken[0]}', a name used by Understudy itself.", "Rename it, or name it under columns.time."
        )


def _hint(name: str, found: list[str]) -> str:
    sign = next((sign for sign in _DELIMITERS if len(found) == 1 and sign in found[0]), None)
    if sign:
        return f"Its only column is '{found[0]}': where '{sign}' stands between columns, write source.delimiter: \"{sign}\"."
    close = difflib.get_close_matches(name, found, 1)
    return f"Did you mean '{close[0]}'?" if close else f"It has: {', '.join(found[:20])}."


def _refuse_decimal_commas(frame: pd.DataFrame, columns: Columns, where: str) -> None:
    """A numeric feature that is text such as 1,5 would otherwise be called text, which helps nobody."""
    for name in columns.features.numeric:
        if name in frame and pd.api.types.is_string_dtype(frame[name].dtype):
            value = next((one for one in frame[name].dropna().head(_LOOKED_AT) if _COMMA.fullmatch(str(one).strip())), None)
            if value is not None:
                raise SpecError(
                    f"{where}: column '{name}' is numeric by pipeline.yaml, and is text such as '{value}'.",
                    'Where that is a decimal comma, write source.decimal: ","; signs between thousands have to go at the source.',
                )
