"""Rows of the ledger to records and back: dataclasses as JSON, times as RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")


def to_json(record: object) -> Any:
    """Return a record as plain JSON values."""
    return msgspec.to_builtins(record)


def from_json(value: Any, kind: type[_T]) -> _T:
    """Return the record that `to_json` wrote."""
    return msgspec.convert(value, kind)


def text(at: datetime) -> str:
    """Return a time as text that sorts as the time does."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time(at: str) -> datetime:
    """Return the time that `text` wrote."""
    return datetime.fromisoformat(at)
