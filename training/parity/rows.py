"""Rows that tell two implementations of a model apart: next to each split of a tree, and what no clean data has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.package import ColumnType
from training.parity.formula import Floats, Tree

FEW = 10  # held-out rows that are made awkward: for each column by itself, then in all columns
_EXTREMES: dict[ColumnType, tuple[float, ...]] = {
    "float": (0.0, -0.0, 5e-324, -5e-324, 3.5e38, -3.5e38, 1e300, -1e300, float("inf"), float("-inf")),
    "int": (0, -1, 2**31, 2**53, -(2**53), 2**62),
}
UNSEEN = "a category that no row had"


def at_splits(tree: Tree, features: int, single: bool) -> Floats:
    """Return rows that come to each split of a tree and stand next to it: (splits * 9, features), in the order of the splits.

    Args:
        single: whether numbers are rounded to float32 before they are compared.
    """
    there = reaching(tree, features, single)
    splits = np.flatnonzero(tree.left >= 0)
    around = neighbours(tree.threshold[splits])
    rows = np.repeat(there[splits], around.shape[1], axis=0)
    rows[np.arange(len(rows)), np.repeat(tree.feature[splits], around.shape[1])] = around.ravel()
    return rows


@np.errstate(over="ignore")  # a threshold beyond float32 has infinity beside it
def neighbours(thresholds: Floats) -> Floats:
    """Return what stands around each threshold, (n,) to (n, 9).

    The threshold, its neighbours in float64, the nearest float32 number with two neighbours on each side, and NaN.
    """
    nearest = thresholds.astype(np.float32)
    below, above = _next_single(nearest, -np.inf), _next_single(nearest, np.inf)
    singles = [nearest, below, above, _next_single(below, -np.inf), _next_single(above, np.inf)]
    doubles = [thresholds, np.nextafter(thresholds, -np.inf), np.nextafter(thresholds, np.inf)]
    missing = np.full(len(thresholds), np.nan)
    return np.column_stack([*doubles, *(one.astype(np.float64) for one in singles), missing])


def _next_single(values: npt.NDArray[np.float32], toward: float) -> npt.NDArray[np.float32]:
    return np.nextafter(values, np.float32(toward))


@np.errstate(over="ignore")
def reaching(tree: Tree, features: int, single: bool) -> Floats:
    """Return for each node a row that comes to it, (nodes, features), built from the root down.

    To the left the split's feature is lowered to the threshold where it is above, to the right it is raised to just over it.
    """
    rows = np.zeros((len(tree.left), features))
    level = np.array([0])
    while len(level := level[tree.left[level] >= 0]):
        feature, threshold = tree.feature[level], tree.threshold[level]
        here, each = rows[level], np.arange(len(level))
        value = here[each, feature]
        lower, higher = here.copy(), here
        lower[each, feature] = np.where(value <= threshold, value, _at_most(threshold, single))
        higher[each, feature] = np.where(value > threshold, value, _just_over(threshold, single))
        rows[tree.left[level]], rows[tree.right[level]] = lower, higher
        level = np.concatenate([tree.left[level], tree.right[level]])
    return rows


def _at_most(thresholds: Floats, single: bool) -> Floats:
    if not single:
        return thresholds
    near = thresholds.astype(np.float32)
    return np.where(near <= thresholds, near, _next_single(near, -np.inf)).astype(np.float64)


def _just_over(thresholds: Floats, single: bool) -> Floats:
    if not single:
        return np.nextafter(thresholds, np.inf)
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, near, _next_single(near, np.inf)).astype(np.float64)


def awkward(held_out: pd.DataFrame, types: Mapping[str, ColumnType]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give held-out rows by kind: as they are, with gaps, with categories never seen, with extreme numbers.

    Args:
        held_out: input columns with the types that a loaded package gives them; texts are objects, all else numbers.
    """
    yield "held_out", held_out
    few = held_out.iloc[np.linspace(0, len(held_out) - 1, min(len(held_out), FEW)).astype(int)]
    gaps = [name for name, kind in types.items() if kind != "bool"]
    yield "missing", _column_by_column(few, dict.fromkeys(gaps, np.nan), types)
    texts = [name for name, kind in types.items() if kind == "str"]
    if texts:
        yield "unseen", _column_by_column(few, dict.fromkeys(texts, UNSEEN), types)
    for place in range(max(map(len, _EXTREMES.values()))):
        values = {name: _EXTREMES[kind][place % len(_EXTREMES[kind])] for name, kind in types.items() if kind in _EXTREMES}
        if values:
            yield "extreme", _column_by_column(few, values, types)


def _column_by_column(few: pd.DataFrame, values: Mapping[str, float | str], types: Mapping[str, ColumnType]) -> pd.DataFrame:
    """Repeat rows for each column with that one changed, and once with all changed."""
    blocks, size = len(values) + 1, len(few)
    rows = pd.concat([few] * blocks, ignore_index=True)
    changed = {}
    for block, (name, value) in enumerate(values.items()):
        column = rows[name].to_numpy(dtype=object if types[name] == "str" else np.float64, copy=True)
        column[block * size : (block + 1) * size] = column[-size:] = value
        changed[name] = column
    return rows.assign(**changed)
