"""Reads times from text or columns into UTC."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from contracts.errors import SpecError
from contracts.spec import Columns, TimeParts

_ZONED = r"(?:[Zz]|[+-]\d{2}:?\d{2})$"


def event_times(frame: pd.DataFrame, columns: Columns, where: str) -> pd.Series:
    """Return each row's event time as datetime64[us, UTC]; a time without a zone is in `columns.timezone`.

    Where clocks are set back, the first of the two hours is meant; a time that clocks skip is read as the next one that exists.

    Raises:
        SpecError: a time cannot be read; names the column and the row (1 is the first row of data).
    """
    names, pattern = _parts(columns)
    texts = _texts(frame, names)
    parsed = _parse(texts, pattern, _zone(columns.timezone))
    bad = parsed.isna()
    if bad.any():
        position = int(bad.to_numpy().argmax())
        value = texts.iloc[position]
        shown = "is empty" if pd.isna(value) else f"is '{value}'"
        wanted = f"as '{pattern}'" if pattern else "as an ISO 8601 time"
        raise SpecError(
            f"{where}, row {position + 1}: column '{' + '.join(names)}' {shown}, which cannot be read {wanted}.",
            "Mend the row, or the format in pipeline.yaml under columns.",
        )
    return parsed.astype("datetime64[us, UTC]")


def time_columns(columns: Columns) -> list[str]:
    """Return the names of the columns that a row's time is made of."""
    return _parts(columns)[0]


def _parts(columns: Columns) -> tuple[list[str], str | None]:
    if isinstance(columns.time, TimeParts):
        return list(columns.time.from_), columns.time.format
    return [columns.time], columns.time_format


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SpecError(f"columns.timezone '{name}' is not a known time zone.", "Write one such as UTC or Europe/Vienna.") from None


def _texts(frame: pd.DataFrame, names: list[str]) -> pd.Series:
    if len(names) == 1 and isinstance(frame[names[0]].dtype, (pd.DatetimeTZDtype,)):
        return frame[names[0]]
    parts = [_text(frame[name]) for name in names]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + " " + part
    return joined


def _text(column: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(column.dtype) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")  # whole numbers in a column with gaps: 5.0 is meant as 5
    return column.astype("string")


def _parse(texts: pd.Series, pattern: str | None, zone: ZoneInfo) -> pd.Series:
    if isinstance(texts.dtype, pd.DatetimeTZDtype):
        same: pd.Series = texts.dt.tz_convert("UTC")
        return same
    zoned = _has_zone(texts, pattern)
    form = pattern or "ISO8601"
    aware: pd.Series = pd.to_datetime(texts.where(zoned), format=form, errors="coerce", utc=True)
    if zoned.all():
        return aware
    naive = pd.to_datetime(texts.where(~zoned), format=form, errors="coerce")
    local: pd.Series = naive.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").dt.tz_convert("UTC")
    return local if not zoned.any() else local.where(~zoned, aware)


def _has_zone(texts: pd.Series, pattern: str | None) -> pd.Series:
    if pattern:
        return pd.Series("%z" in pattern, index=texts.index)
    return texts.str.contains(_ZONED, na=False) & texts.str.contains(":", na=False)
