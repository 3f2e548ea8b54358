"""Classifier two-sample test: can a classifier tell the rows of two samples apart, on rows it was not fitted on?

It sees what no test of one column can, such as a correlation that changed. Source: Lopez-Paz and Oquab (2017), Revisiting classifier
two-sample tests, arXiv:1610.06545; with the area under the ROC curve in place of the accuracy, whose p-value and interval are known without
permutations (stats/auc.py). The classifier is scikit-learn's HistGradientBoostingClassifier.

Where rows of a block belong together (a day, a user), whole blocks are held out: else the classifier would know the day again, and call
the same weather drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stats.auc import Auc, auc

Floats = NDArray[np.float64]
_ROUNDS, _LEAVES, _RATE = 50, 15, 0.1
_ASKED = 2_000  # held-out rows that the columns' importances are measured on
_REPEATS = 3
_MOST_CODES = 254  # what the classifier can take of one categorical column, with one for all others


@dataclass(frozen=True, slots=True)
class Told:
    """How well the two samples can be told apart.

    Attributes:
        auc: on held-out rows; its value is the effect size, 0.5 means not at all.
        importance: (k,) how much of the area is lost when a column of the held-out rows is shuffled; 0 where the p-value is above `alpha`.
        rows: held-out rows of the second sample.
    """

    auc: Auc
    importance: Floats
    rows: int


def tell_apart(
    reference: Floats,
    window: Floats,
    categorical: NDArray[np.bool_],
    blocks: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Told:
    """Fit on half of the blocks and judge on the other half; the same rows and seed give the same answer.

    Args:
        reference, window: (n, k) and (m, k) numbers, or codes from 0 of categories; missing values are NaN.
        categorical: (k,) which columns hold codes.
        blocks: (n,) and (m,) numbers of the blocks that rows belong to; without them each row is one by itself.
        alpha: p-value above which nobody asks which columns told the samples apart.

    Raises:
        ValueError: a sample has fewer than four blocks (two to fit on, two to judge on).

    >>> random = np.random.default_rng(0)
    >>> told = tell_apart(random.normal(size=(500, 2)), random.normal(size=(500, 2)) + [0, 2], np.array([False, False]))
    >>> told.auc.value > 0.8, int(told.importance.argmax())
    (True, 1)
    """
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(seed)
    sides = _frequent(reference, window, categorical)
    numbers = blocks or (np.arange(len(reference)), np.arange(len(window)))
    held_out = [_half(one, random) for one in numbers]
    with threadpool_limits(limits=1):  # for so few rows threads cost more than they bring
        model = _fitted([side[~held] for side, held in zip(sides, held_out, strict=True)], categorical, seed)
        first, second = (side[held] for side, held in zip(sides, held_out, strict=True))
        scores = model.decision_function(first), model.decision_function(second)
        area = auc(*scores, *(one[held] for one, held in zip(numbers, held_out, strict=True)))
        importance = _importance(model, first, second, random) if area.p_value <= alpha else np.zeros(len(categorical))
    return Told(area, importance, len(second))


def _fitted(sides: list[Floats], categorical: NDArray[np.bool_], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=_ROUNDS,
        max_leaf_nodes=_LEAVES,
        learning_rate=_RATE,
        early_stopping=False,
        categorical_features=categorical,
        random_state=seed,
    )
    return model.fit(np.vstack(sides), np.repeat([0, 1], [len(side) for side in sides]))


def _half(blocks: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.bool_]:
    """Return which rows are held out: those of every second block, in random order."""
    names = np.unique(blocks)
    if len(names) < 4:
        raise ValueError(f"{len(names)} blocks cannot be halved into two of two; four are needed")
    return np.isin(blocks, random.permutation(names)[::2])


def _frequent(first: Floats, second: Floats, categorical: NDArray[np.bool_]) -> list[Floats]:
    """Return both samples with codes by falling frequency; of more than the classifier can take the rarest are put together."""
    both = np.vstack([first, second])
    for column in np.flatnonzero(categorical):
        known = ~np.isnan(both[:, column])
        _, where, counts = np.unique(both[known, column], return_inverse=True, return_counts=True)
        rank = np.empty(len(counts))
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        both[known, column] = np.minimum(rank[where], _MOST_CODES)
    return [both[: len(first)], both[len(first) :]]


def _importance(model: Any, first: Floats, second: Floats, random: np.random.Generator) -> Floats:
    from sklearn.inspection import permutation_importance

    parts = [side[random.permutation(len(side))[: _ASKED // 2]] for side in (first, second)]
    truth = np.repeat([0, 1], [len(part) for part in parts])
    found = permutation_importance(
        model, np.vstack(parts), truth, scoring="roc_auc", n_repeats=_REPEATS, random_state=int(random.integers(2**31))
    )
    return np.asarray(found.importances_mean, dtype=np.float64)
