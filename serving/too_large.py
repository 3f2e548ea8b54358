"""Numbers beyond what a model takes: after it refused a request, says whether one of them is why, and which.

A forest rounds to float32 and refuses what is infinite then; a weighted sum overflows. Such a number is the caller's to mend and no
evidence against a version. Looked for only where a model has raised, so an answer costs nothing more; found by trying, so it holds for
feature code as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contracts.package import ColumnType
from serving.columns import BadRequest, Columns, shown

_FAR = 1e6  # what is nearer is nothing out of the way: a model that refuses it has failed
_FLOAT, _INT = 1.7976931348623157e308, 2**63 - 1
_Far = dict[int, list[str]]  # by row the columns with a number that is far out


def blame_number(answers: Callable[[Columns], bool], columns: Columns, types: Mapping[str, ColumnType]) -> tuple[str, int] | None:
    """Return the column and the row of the first number that is too large for the model, or None where the model itself has failed.

    A number is too large where its row is answered with a zero in its place, but neither with it nor with its double. Costs as much as
    answering the rows two or three times.

    Args:
        answers: whether the model answers some rows, each by itself.
        columns: rows that it did not answer.
    """
    far = _far(columns, types)
    if not far or not answers(_nearer(columns, far)):
        return None
    rows = sorted(far)
    while len(rows) > 1:
        left = rows[: len(rows) // 2]
        rows = rows[len(left) :] if answers(_only(columns, left)) else left
    row = _only(columns, rows)
    names = far[rows[0]]
    zeros = _nearer(row, {0: names})
    if not answers(zeros) or answers(row) or answers(row | {name: [_double(row[name][0])] for name in names}):
        return None
    alone = next((name for name in names if not answers(zeros | {name: row[name]})), None)
    return alone or max(names, key=lambda name: abs(row[name][0])), rows[0]


def too_large(name: str, row: int, value: Any) -> BadRequest:
    """Return the refusal of a number.

    Args:
        row: as the caller counts them.
    """
    return BadRequest(f"Column '{name}', row {row}: {shown(value)} is too large a number for the model.")


def _far(columns: Columns, types: Mapping[str, ColumnType]) -> _Far:
    far: _Far = {}
    for name, kind in types.items():
        if kind in ("float", "int"):
            for row, value in enumerate(columns[name]):
                if abs(value) > _FAR:
                    far.setdefault(row, []).append(name)
    return far


def _nearer(columns: Columns, far: _Far) -> Columns:
    made = {name: list(values) for name, values in columns.items()}
    for row, names in far.items():
        for name in names:
            made[name][row] = type(made[name][row])()  # a zero of its kind
    return made


def _only(columns: Columns, rows: list[int]) -> Columns:
    return {name: [values[row] for row in rows] for name, values in columns.items()}


def _double(value: Any) -> Any:
    most = _INT if isinstance(value, int) else _FLOAT
    return max(-most, min(most, 2 * value))
