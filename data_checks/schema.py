"""Says where a batch's columns do not fit those of the snapshot it would be added to."""

from __future__ import annotations

from collections.abc import Mapping

_KINDS = {"int": "number", "uint": "number", "float": "number", "bool": "truth value", "datetime": "time"}


def schema_conflicts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return one sentence for each column that is missing, or changed between number, text, time and truth value.

    Args:
        before: column name → pandas dtype name in the snapshot.
        now: the same in the batch.

    A further column is no conflict, nor is a wider number.

    >>> schema_conflicts({"x": "int64", "y": "float64"}, {"x": "str"})
    ["column 'x' was number and is text.", "column 'y' is missing."]
    """
    found = []
    for name, dtype in before.items():
        if name not in now:
            found.append(f"column '{name}' is missing.")
        elif _kind(dtype) != _kind(now[name]):
            found.append(f"column '{name}' was {_kind(dtype)} and is {_kind(now[name])}.")
    return found


def _kind(dtype: str) -> str:
    lowered = dtype.lower()
    return next((kind for start, kind in _KINDS.items() if lowered.startswith(start)), "text")
