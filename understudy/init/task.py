"""Guesses what is predicted: a number, one of two classes, or one of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from contracts.package import Task

_CLASSES = 10  # whole numbers with more values are amounts
_MOST_CLASSES = 50


def guess_task(target: pd.Series, asked: Task | None) -> tuple[Task, str]:
    """Return the task and why.

    Args:
        target: the target column; rows without a value are ignored.
        asked: what the user said, which wins where it is possible.

    Raises:
        UsageError: the column cannot be predicted, or not as asked.
    """
    import pandas as pd

    known = target.dropna()
    values = known.nunique()
    if values < 2:
        raise UsageError(f"The target '{target.name}' has {values} different value(s): there is nothing to predict.", "Name another.")
    number = pd.api.types.is_numeric_dtype(known.dtype) and not pd.api.types.is_bool_dtype(known.dtype)
    if asked is not None:
        _refuse_impossible(str(target.name), asked, values, number=number)
        return asked, "named by --task"
    if number and not (values == 2 or (values <= _CLASSES and bool((known % 1 == 0).all()))):
        return "regression", f"'{target.name}' is a number with {values} values"
    if values == 2:
        return "binary", f"'{target.name}' has two values"
    if values > _MOST_CLASSES:
        raise UsageError(f"The target '{target.name}' is text with {values} different values: too many classes.", "Name another target.")
    also = "; for an amount say --task regression" if number else ""
    return "multiclass", f"'{target.name}' has {values} values{also}"


def _refuse_impossible(name: str, asked: Task, values: int, *, number: bool) -> None:
    if asked == "regression" and not number:
        raise UsageError(f"The target '{name}' is not a number, so it cannot be a regression.", "Use --task binary or multiclass.")
    if asked == "binary" and values != 2:
        raise UsageError(f"The target '{name}' has {values} values, so it is not binary.", "Use --task multiclass or regression.")
    if asked == "multiclass" and values > _MOST_CLASSES:
        raise UsageError(f"The target '{name}' has {values} values: too many classes.", "Use --task regression, or name another target.")
