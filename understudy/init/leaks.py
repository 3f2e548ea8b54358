"""Finds columns that tell the model the answer: equal to the target, part of a sum that gives it, or nearly deciding it alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from understudy.init.sums import find_sum

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 20_000  # rows that are looked at, evenly spaced
_EXACT = 0.999  # share of rows in which a sum must be met
_DECIDES = 0.98  # of the target's variance, explained by one column alone
_SUSPECT = 0.7  # worth a question
_AFTERWARDS = re.compile(r"(?i)(duration|elapsed|length_of|outcome_of|result|closed|finished|cancel|refund|actual|resolution|total)")
_SUSPECT_BY_NAME = 0.1  # a name that sounds like what is known only afterwards makes less of it worth a question
_BLOCKS = 20  # contiguous; every other one is fitted, so that a column that only grows with time explains nothing

_Floats = NDArray[np.float64]


def find_leaks(frame: pd.DataFrame, target: str, names: list[str], task: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the leaking columns and those worth a question, each with the reason.

    Args:
        frame: rows in order of time.
        target: the answer.
        names: columns that could be features.
        task: regression, binary or multiclass.
    """
    rows = frame.dropna(subset=[target])
    rows = rows.iloc[:: max(1, len(rows) // _ROWS)]
    with np.errstate(all="ignore"):  # sums and products of huge numbers equal nothing, which is the answer
        leaks = _parts(rows, target, names) if task == "regression" else {}
    suspects = {}
    answer = _answer(rows[target], task)
    for name in names:
        share = 0.0 if name in leaks else _explained(rows[name], answer)
        if share >= _DECIDES:
            leaks[name] = f"it decides {target} alone ({share:.1%} of its variance)"
        elif share >= (_SUSPECT_BY_NAME if _AFTERWARDS.search(name) else _SUSPECT):
            suspects[name] = f"alone it explains {share:.0%} of the variance of {target}"
    return leaks, suspects


def _parts(rows: pd.DataFrame, target: str, names: list[str]) -> dict[str, str]:
    """Columns that equal the target, follow it in a straight line, or give it as a sum, difference or product of two."""
    import pandas as pd

    truth = rows[target].to_numpy(dtype=np.float64)
    numbers = {name: rows[name].to_numpy(dtype=np.float64) for name in names if pd.api.types.is_numeric_dtype(rows[name].dtype)}
    found = {}
    for name, values in numbers.items():
        if _same(values, truth):
            found[name] = f"it equals {target}"
        elif abs(_correlation(values, truth)) >= _DECIDES:
            found[name] = f"it follows {target} in a straight line (correlation {_correlation(values, truth):.3f})"
    for one, other in combinations([name for name in numbers if name not in found], 2):
        formula = _formula(numbers[one], numbers[other], truth)
        if formula:
            said = f"{formula.format(one=one, other=other)} is {target}"
            found.setdefault(one, said)
            found.setdefault(other, said)
    together, said = find_sum({name: values for name, values in numbers.items() if name not in found}, truth)
    return found | dict.fromkeys(together, f"{said} is {target}")


def _formula(one: _Floats, other: _Floats, truth: _Floats) -> str | None:
    few = slice(None, None, max(1, len(truth) // 50))  # most pairs are ruled out by a few rows
    ways: dict[str, Callable[[_Floats, _Floats], _Floats]] = {
        "{one} + {other}": np.add,
        "{one} - {other}": np.subtract,
        "{other} - {one}": _less,
        "{one} × {other}": np.multiply,
    }
    for said, made in ways.items():
        if _same(made(one[few], other[few]), truth[few]) and _same(made(one, other), truth):
            return said
    return None


def _less(one: _Floats, other: _Floats) -> _Floats:
    difference: _Floats = other - one
    return difference


def _same(values: _Floats, truth: _Floats) -> bool:
    spread = float(np.std(truth))
    return bool(spread > 0 and np.isclose(values, truth, rtol=1e-6, atol=1e-6 * spread).mean() >= _EXACT)


def _correlation(values: _Floats, truth: _Floats) -> float:
    known = np.isfinite(values)
    if known.sum() < 3 or np.std(values[known]) == 0 or np.std(truth[known]) == 0:
        return 0.0
    return float(np.corrcoef(values[known], truth[known])[0, 1]) * float(known.mean())


def _answer(column: pd.Series, task: str) -> _Floats:
    """The target as (n, k) numbers: itself, or one column of 0 and 1 per class."""
    if task == "regression":
        return column.to_numpy(dtype=np.float64).reshape(-1, 1)
    codes = column.factorize(sort=False)[0]
    one_hot: _Floats = np.eye(int(codes.max()) + 1)[codes]
    return one_hot


def _explained(column: pd.Series, answer: _Floats) -> float:
    """Share of the answer's variance that a tree on this column alone explains, on blocks of rows it has not seen."""
    import pandas as pd
    from sklearn.tree import DecisionTreeRegressor

    ranks = column.rank(method="dense") if pd.api.types.is_numeric_dtype(column.dtype) else pd.Series(column.factorize()[0])
    inputs = ranks.to_numpy(dtype=np.float32).reshape(-1, 1)  # a tree sees the order only, and ranks are never too large
    fitted = (np.arange(len(inputs)) * _BLOCKS // len(inputs)) % 2 == 0
    if fitted.all():
        return 0.0
    tree = DecisionTreeRegressor(min_samples_leaf=max(2, min(20, len(inputs) // 100)), random_state=0)
    guess = np.asarray(tree.fit(inputs[fitted], answer[fitted]).predict(inputs[~fitted])).reshape(answer[~fitted].shape)
    seen = answer[~fitted]
    variance = float(np.square(seen - seen.mean(axis=0)).sum())
    return 1 - float(np.square(seen - guess).sum()) / variance if variance else 0.0
