"""Population stability index: how far a sample's distribution is from a reference's, as one effect size.

PSI = sum over bins of (q - p) * ln(q / p), the symmetrised Kullback-Leibler divergence between the shares p of the reference and q of the
sample; source: Yurdakul and Naranjo (2020), Statistical properties of the population stability index, Journal of Risk Model Validation.
Half an observation is added to each bin, so that an empty one costs a finite amount; without any difference the index is about
(bins - 1) * (1/n + 1/m), so small samples never give 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stats.in_order import in_order

_HALF = 0.5


def psi(reference: ArrayLike, current: ArrayLike, bins: int = 10) -> float:
    """Return the index of numbers, over quantile bins of the reference.

    Args:
        reference, current: (n,) and (m,) numbers; those that are missing (NaN) share a bin of their own.
        bins: how many bins of equal share the reference is cut into; a value that fills a bin by itself is one.

    Raises:
        ValueError: one of both is empty, or `bins` is under 2.

    >>> psi([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0])
    0.0
    >>> psi([0.0] * 50, [1.0] * 50) > 1
    True
    """
    if bins < 2:
        raise ValueError(f"{bins} bins show no difference; use 2 or more")
    before, after = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    edges = _edges(before[~np.isnan(before)], bins)
    return _index(_counts(before, edges), _counts(after, edges))


def psi_categories(reference: Sequence[Any] | NDArray[Any], current: Sequence[Any] | NDArray[Any], most: int = 50) -> float:
    """Return the index of categories.

    Args:
        reference, current: values that can be hashed; missing ones (None, NaN) are a category of their own.
        most: the reference's most frequent categories that are told apart; all others, also those never seen before, are one.

    Raises:
        ValueError: one of both is empty.

    >>> psi_categories(["a", "b"], ["b", "a"])
    0.0
    """
    before, after = (pd.Series(np.asarray(values, dtype=object)) for values in (reference, current))
    names, counts = pd.Index(pd.concat([before, after]).dropna().unique()), []
    for column in (before, after):
        known = column.value_counts().reindex(names, fill_value=0).to_numpy(dtype=np.int64)
        counts.append(np.append(known, len(column) - known.sum()))
    return psi_counts(counts[0], counts[1], most)


def psi_counts(reference: NDArray[np.int64], current: NDArray[np.int64], most: int = 50) -> float:
    """Return the index of categories that are counted already.

    Args:
        reference, current: (k,) rows in each category, and in a last one those that are missing.
        most: as above.

    Raises:
        ValueError: one of both is empty.

    >>> psi_counts(np.array([5, 5, 0]), np.array([8, 2, 0])) > 0.2
    True
    """
    frequent = np.argsort(-reference[:-1], kind="stable")[:most]
    frequent = frequent[reference[frequent] > 0]
    counts = [np.append(side[frequent], [side[:-1].sum() - side[frequent].sum(), side[-1]]) for side in (reference, current)]
    return _index(*counts)


def _edges(known: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Inner edges, each the upper end of its bin; a repeated quantile gets a lower end too, so that this value stands alone."""
    if not len(known):
        return known
    quantiles = np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])
    values, repeats = np.unique(quantiles, return_counts=True)
    alone = np.nextafter(values[repeats > 1], -np.inf)
    return np.union1d(values, alone)


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    known = in_order(values[~np.isnan(values)])  # then each edge is looked up once, not each value
    below = np.searchsorted(known, edges, side="right")
    return np.append(np.diff(below, prepend=0, append=len(known)), len(values) - len(known))


def _index(before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    if not before.sum() or not after.sum():
        raise ValueError("an empty sample has no distribution")
    used = (before > 0) | (after > 0)
    p, q = before[used] + _HALF, after[used] + _HALF
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))
