"""Guesses which columns say when a row happened, and how the time is written."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

ISO = "ISO8601"  # pandas' word for it; pipeline.yaml says it by naming no format
_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d"),
    *("%d %b %Y", "%d-%b-%Y", "%b %d %Y", "%d %B %Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %H", " %H %M")
_HOUR = re.compile(r"(?i)(hr|hour|hours|hod|hour_of_day|hourofday)")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
_NAMED_TIME = re.compile(r"(?i)(date|time|day|timestamp|stamp|_at$|_on$|^at$|^ts$|^dt)")
_PROBED = 1000  # distinct values that are read for a guess; all are read before anything is written


@dataclass(frozen=True, slots=True)
class TimeGuess:
    """Columns that make the time, joined by one space; `pattern` is a strptime format, or None for ISO 8601."""

    names: list[str]
    pattern: str | None
    why: str


def guess_time(frame: pd.DataFrame, asked: tuple[str, ...], target: str, path: Path) -> TimeGuess:
    """Return how each row's time is read.

    Args:
        frame: the sample.
        asked: columns named by the user; empty to look for one.
        target: never a time.
        path: for messages.

    Raises:
        UsageError: no column reads as a time, several do, or the named one does not.
    """
    if asked:
        return _named(frame, asked, path)
    found = [name for name in map(str, frame.columns) if name != target and patterns_of(frame, [name], guessing=True)]
    if len(found) == 1:
        return _with_clock(frame, found[0], "the only column that reads as a time")
    if found:
        raise UsageError(f"{path} has several columns that read as times: {', '.join(found)}.", "Name the one that counts with --time.")
    parts = _calendar(frame)
    if parts is not None:
        return parts
    raise UsageError(f"{path} has no column that says when a row happened{_half_times(frame)}.", _ADVICE)


_ADVICE = (
    "Understudy orders, holds out and compares rows by time: add a column such as 2026-01-31T14:00:00Z and name it with --time. "
    "If only the order of rows is known, docs/how-to/bring-your-own-data.md shows how to give them times."
)


def patterns_of(frame: pd.DataFrame, names: list[str], *, guessing: bool = False) -> list[str]:
    """Return every way to read all values of the columns, joined by a space, as times; empty where there is none."""
    import pandas as pd

    if guessing and not _may_be_time(frame[names[0]], names[0]):
        return []
    values = pd.Series((frame[names[0]] if len(names) == 1 else _joined(frame, names)).dropna().unique())
    if len(values) > _PROBED:
        values = values.iloc[:: len(values) // _PROBED]
    values = values.astype("string").str.strip()
    if values.empty or not values.str.contains(r"\d.*\d.*\d").all():
        return []
    ways = [ISO] if len(names) == 1 and values.str.contains("-").all() else []
    ways += [date + clock for date in _DATES for clock in _CLOCKS]
    few = [way for way in ways if _reads(values.iloc[:20], way)]
    return [way for way in few if _reads(values, way)]


def _may_be_time(column: pd.Series, name: str) -> bool:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):  # 20260131 is a time only where its name says so
        return bool(_NAMED_TIME.search(name)) and pd.api.types.is_integer_dtype(column.dtype) and bool((column >= 19_000_101).all())
    known = column.dropna()
    return not known.empty and isinstance(known.iloc[0], str | date)  # a pandas Timestamp is a date


def _joined(frame: pd.DataFrame, names: list[str]) -> pd.Series:
    parts = [frame[name].astype("string").str.strip() for name in names]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + " " + part
    return joined


def _reads(values: pd.Series, way: str) -> bool:
    import pandas as pd

    times = pd.to_datetime(values, format=way, errors="coerce", utc=True)
    return bool(times.notna().all() and times.dt.year.between(1900, 2200).all())


def _named(frame: pd.DataFrame, asked: tuple[str, ...], path: Path) -> TimeGuess:
    for name in asked:
        if name not in frame.columns:
            close = difflib.get_close_matches(name, [str(one) for one in frame.columns], 1)
            raise UsageError(f"{path} has no column '{name}'.", f"Did you mean '{close[0]}'?" if close else f"It has: {_list(frame)}.")
    if len(asked) == 1:
        return _with_clock(frame, asked[0], "named by --time")
    ways = [way for way in patterns_of(frame, list(asked)) if way != ISO]
    if not ways:
        raise _unreadable(frame, list(asked), path)
    return TimeGuess(list(asked), _most_orderly(frame, list(asked), ways), "named by --time")


def _with_clock(frame: pd.DataFrame, name: str, why: str) -> TimeGuess:
    """A column that holds dates only is joined with the column that holds the hour, where there is one."""
    ways = patterns_of(frame, [name])
    if not ways:
        raise _unreadable(frame, [name], None)
    way = _most_orderly(frame, [name], ways)
    if _dates_only(frame[name], way):
        for other in map(str, frame.columns):
            if other != name and _is_hour(frame[other], other):
                joined = [pattern for pattern in patterns_of(frame, [name, other]) if pattern != ISO]
                if joined:
                    pattern = _most_orderly(frame, [name, other], joined)
                    return TimeGuess([name, other], pattern, f"{why}; it holds dates only, and '{other}' holds the hour")
    return TimeGuess([name], None if way == ISO else way, why + _also(ways))


def _also(ways: list[str]) -> str:
    orders = {way.replace("%Y", "%y").replace("-", "/").split(" ")[0] for way in ways if way != ISO}
    swapped = "%d/%m/%y" in orders and "%m/%d/%y" in orders
    return "; day and month could be read the other way round: look at columns.time_format" if swapped else ""


def _most_orderly(frame: pd.DataFrame, names: list[str], ways: list[str]) -> str:
    """Of several ways to read a time, one under which the file is in order of time, and of these the one that spans least.

    Day and month swapped, nine days in a row become the first of nine months.
    """
    import pandas as pd

    if len(ways) == 1:
        return ways[0]
    texts = _joined(frame, names)

    def disorder(way: str) -> tuple[bool, pd.Timedelta]:
        times = pd.to_datetime(texts, format=way, errors="coerce", utc=True).dropna()
        return not (times.is_monotonic_increasing or times.is_monotonic_decreasing), times.max() - times.min()

    return min(ways, key=disorder)


def _dates_only(column: pd.Series, way: str) -> bool:
    import pandas as pd

    times = pd.to_datetime(pd.Series(column.dropna().unique()).astype("string").str.strip(), format=way, errors="coerce", utc=True)
    return bool((times == times.dt.normalize()).all())


def _is_hour(column: pd.Series, name: str) -> bool:
    import pandas as pd

    if pd.api.types.is_integer_dtype(column.dtype):
        return bool(_HOUR.fullmatch(name)) and bool(column.between(0, 23).all()) and column.nunique() > 1
    if pd.api.types.is_numeric_dtype(column.dtype):
        return False
    return bool(column.astype("string").str.strip().str.fullmatch(_CLOCK.pattern).fillna(value=False).all())


def _calendar(frame: pd.DataFrame) -> TimeGuess | None:
    """Year, month and day, and the hour where there is one, each in a column of its own."""
    by_name = {str(name).lower(): str(name) for name in frame.columns}
    names = [by_name[part] for part in ("year", "month", "day") if part in by_name]
    if len(names) < 3:
        return None
    hour = [name for name in map(str, frame.columns) if _is_hour(frame[name], name)][:1]
    pattern = "%Y %m %d" + (" %H" if hour else "")
    if not _reads(_joined(frame, names + hour).iloc[:_PROBED], pattern):
        return None
    return TimeGuess(names + hour, pattern, "year, month and day are columns of their own")


def _unreadable(frame: pd.DataFrame, names: list[str], path: Path | None) -> UsageError:
    shown = " ".join(str(frame[name].iloc[0]) for name in names)
    where = f"{path}: " if path else ""
    advice = "Write times as ISO 8601 (2026-01-31T14:00:00Z)"
    if shown.isdigit() and len(shown) in (10, 13):
        return UsageError(f"{where}column '{names[0]}' holds numbers such as {shown}.", f"{advice}; seconds since 1970 are not read.")
    return UsageError(f"{where}column '{' + '.join(names)}' holds '{shown}', which reads as no time.", f"{advice}, or name another column.")


def _half_times(frame: pd.DataFrame) -> str:
    hints = [str(name) for name in frame.columns if re.fullmatch(r"(?i)(month|day|weekday|day_of_week|week|dow|mnth|hour|hr)", str(name))]
    return f" ({', '.join(hints)}: without a year that is no time)" if hints else ""


def _list(frame: pd.DataFrame) -> str:
    return ", ".join(str(name) for name in frame.columns[:20])
