"""Columns as the columnar engine sees them: whole numbers, floats, truth values, texts and times; it leaves other kinds alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types

Kind = Literal["int", "float", "bool", "text", "time"]
NUMBERS: tuple[Kind, ...] = ("int", "float")
_EXACT = 2**53  # whole numbers beyond it are not all floats


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        dtype: pandas' where no value is missing.
        sql: its canonical form in the table `rows`: NaN is NULL, a time is a whole number of its units since 1970.
        unit: of a time. zone: of a time that has one.
    """

    name: str
    kind: Kind
    dtype: Any
    sql: str
    unit: Literal["us", "ns"] = "us"
    zone: str | None = None

    @property
    def raw(self) -> str:
        """Return the SQL that makes the canonical form of the column as it is stored."""
        stored = quoted(self.name)
        if self.kind == "float":
            return f"CASE WHEN isnan({stored}) THEN NULL ELSE {stored} END"
        return f"epoch_{self.unit}({stored})" if self.kind == "time" else stored

    def shown(self, value: Any, *, holes: bool) -> Any:
        """Return a canonical value as pandas would show it; whole numbers are floats in a column with holes."""
        if self.kind == "time":
            return pd.NaT if value is None else pd.Timestamp(value, unit=self.unit, tz=self.zone)
        if value is None:
            return None if self.dtype == np.dtype(object) else math.nan
        return float(value) if self.kind == "int" and holes else value

    def literal(self, value: Any) -> str | None:
        """Return a limit or a member of a set as SQL to compare with; None where it is not of this column's kind."""
        if self.kind == "text":
            return text(value) if isinstance(value, str) and "\0" not in value else None
        if self.kind == "bool":
            return str(value).upper() if isinstance(value, bool) else None
        if self.kind == "time":
            return self._ticks(value)
        return number(value)

    def _ticks(self, value: Any) -> str | None:
        """A time of day must be said: Great Expectations takes a bare date for a date, which it cannot compare with times."""
        if not isinstance(value, str) or len(value) <= len("2026-01-01"):
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if (moment.tzinfo is None) != (self.zone is None):
            return None
        since = moment - datetime(1970, 1, 1, tzinfo=None if moment.tzinfo is None else UTC)
        return str(since // timedelta(microseconds=1) * (1000 if self.unit == "ns" else 1))


@dataclass(frozen=True, slots=True)
class Layout:
    """What a table has: all names in order, and the columns whose kind is known."""

    names: tuple[str, ...]
    columns: Mapping[str, Column]


def layout_of(schema: pa.Schema, dtypes: Mapping[str, Any] | None = None) -> Layout:
    """Return the layout of an Arrow schema.

    Args:
        schema: of the stored columns.
        dtypes: of the columns of a pandas table; those that pandas gives them when it reads the schema, where None.
    """
    if dtypes is None:
        frame = schema.empty_table().to_pandas()
        dtypes = {str(name): frame[name].dtype for name in frame.columns}
    found = {}
    for position, (name, dtype) in enumerate(dtypes.items()):
        stored = schema.field(name).type
        kind = _kind(stored, dtype)
        if kind is not None:
            unit: Literal["us", "ns"] = "ns" if kind == "time" and stored.unit == "ns" else "us"
            zone = stored.tz if kind == "time" else None
            found[name] = Column(name, kind, dtype, quoted(f"understudy {position}"), unit, zone)
    return Layout(tuple(dtypes), found)


def _kind(stored: pa.DataType, dtype: Any) -> Kind | None:
    if pa.types.is_integer(stored) and stored != pa.uint64() and isinstance(dtype, np.dtype) and dtype.kind in "iu":
        return "int"
    if pa.types.is_float64(stored) and dtype == np.float64:
        return "float"
    if pa.types.is_boolean(stored) and isinstance(dtype, np.dtype) and dtype.kind == "b":
        return "bool"
    if (pa.types.is_string(stored) or pa.types.is_large_string(stored)) and dtype in (np.dtype(object), "str"):
        return "text"
    # a time with a zone is kept in microseconds there
    if pa.types.is_timestamp(stored) and (stored.tz is None or stored.unit != "ns") and stored.unit != "s":
        return "time"
    return None


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def number(value: Any) -> str | None:
    """Return a number as an SQL literal; None for what is none, or for a whole number that is no float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if isinstance(value, int):
        return str(value) if abs(value) <= _EXACT else None
    return f"CAST('{value!r}' AS DOUBLE)"
