"""The kinds of columns: number, text, time and truth value; a wider number is no other kind."""

from __future__ import annotations

_KINDS = {"int": "number", "uint": "number", "float": "number", "bool": "truth value", "datetime": "time"}


def kind_of(dtype: str) -> str:
    """Return the kind that a pandas dtype's name tells.

    >>> kind_of("Int64"), kind_of("str")
    ('number', 'text')
    """
    lowered = dtype.lower()
    return next((kind for start, kind in _KINDS.items() if lowered.startswith(start)), "text")
