"""Finds columns that give the target together: a sum of several, whatever their weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_EXACT = 0.999  # share of rows in which the sum must be met
_CLOSE = 1e-6  # of the target's spread: what rounding may leave
_COUNTS = 1e-4  # of the target's spread: a part that moves it less plays no role

_Floats = NDArray[np.float64]


def find_sum(numbers: Mapping[str, _Floats], truth: _Floats) -> tuple[list[str], str]:
    """Return the columns whose weighted sum, a constant aside, is the target, and the sum in words; no column where there is none.

    Args:
        numbers: (n,) values of each column; columns with gaps take no part.
        truth: (n,) the target.

    By least squares over all columns at once, so that any number of parts is found.

    >>> a, b, c = np.random.default_rng(0).normal(size=(3, 50))
    >>> find_sum({"a": a, "b": b, "c": c, "d": b * c}, a + b - c)
    (['a', 'b', 'c'], 'a + b - c')
    """
    usable = {name: values for name, values in numbers.items() if np.isfinite(values).all() and np.std(values) > 0}
    spread = float(np.std(truth))
    if len(usable) < 2 or len(truth) < 4 * len(usable) or not np.isfinite(spread) or spread == 0:
        return [], ""
    scales = np.array([np.std(values) for values in usable.values()])
    if not np.isfinite(scales).all():
        return [], ""
    inputs = np.column_stack([values - values.mean() for values in usable.values()]) / scales
    weights = np.linalg.lstsq(inputs, truth - truth.mean(), rcond=1e-10)[0]
    rest = truth - truth.mean() - inputs @ weights
    if (np.abs(rest) <= _CLOSE * spread).mean() < _EXACT:
        return [], ""
    parts = {name: float(weight / scale) for name, weight, scale in zip(usable, weights, scales, strict=True) if _plays(weight, spread)}
    return (list(parts), _words(parts)) if len(parts) > 1 else ([], "")


def _plays(weight: float, spread: float) -> bool:
    return abs(weight) > _COUNTS * spread


def _words(parts: dict[str, float]) -> str:
    if not all(np.isclose(abs(weight), 1, rtol=1e-4) for weight in parts.values()):
        return "a weighted sum of " + ", ".join(parts)
    first, *others = sorted(parts, key=lambda name: parts[name] < 0)
    signed = "".join(f" {'-' if parts[name] < 0 else '+'} {name}" for name in others)
    return f"{'-' if parts[first] < 0 else ''}{first}{signed}"
