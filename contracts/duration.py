"""Durations as people write them: `30s`, `5m`, `1h`, `7d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `180d`.

    Raises:
        ValueError: the text is not a number followed by s, m, h, d or w.

    >>> parse_duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is not a duration; write a number and a unit: 30s, 5m, 1h, 7d or 2w")
    return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])


def format_duration(value: timedelta) -> str:
    """Write a duration in its largest whole unit.

    >>> format_duration(timedelta(days=14))
    '2w'
    """
    seconds = value.total_seconds()
    for unit in "wdhm":
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds // _SECONDS[unit])}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def _read(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


_SCHEMA = {"type": "string", "pattern": rf"^\s*{_FORM.pattern}\s*$", "examples": ["30s", "5m", "1h", "7d", "2w"]}

Duration = Annotated[timedelta, BeforeValidator(_read), PlainSerializer(format_duration, return_type=str), WithJsonSchema(_SCHEMA)]
