"""From paired answers to independent samples: the loss difference of each request, averaged over blocks of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import UsageError
from contracts.package import Task
from contracts.spec import LossName
from stats.losses import losses
from stats.truth import coded

Floats = NDArray[np.float64]
Classes = tuple[Sequence[object], Sequence[object]]


@dataclass(frozen=True, slots=True)
class Differences:
    """The paired losses of rows.

    Attributes:
        values: (n,) loss of the version held against minus loss of the judged one (positive: the judged one is better); NaN where a row
            has no usable label or an answer is missing.
        unknown: rows whose label is no number, or of no known class.
        classes: (n,) index of each row's class, NaN where it has no usable label; None for regression.
    """

    values: Floats
    unknown: int
    classes: Floats | None = None


@dataclass(frozen=True, slots=True)
class Blocks:
    """Means of the loss difference over blocks of time, oldest first, with no hole between them.

    Attributes:
        means: (n,) one for each complete block that has a labelled pair.
        requests: labelled pairs in those blocks.
        waiting: complete blocks from the first on that a version has not answered in full; they do not count yet.
        counted: (rows,) which rows are in those blocks.
        due: (rows,) which rows lie in blocks that count, with a label or without.
    """

    means: Floats
    requests: int
    waiting: int
    counted: NDArray[np.bool_]
    due: NDArray[np.bool_]


def differences(rows: pd.DataFrame, task: Task, loss: LossName, classes: Classes, bounds: tuple[float, float] | None = None) -> Differences:
    """Return the loss difference of each paired row.

    Args:
        rows: as `rollout.pairs.pair` gives them.
        classes: labels in the order of the probabilities, of the judged version and of the other; both empty for regression.
        bounds: least and greatest loss; one beyond them counts as the bound.

    Raises:
        UsageError: two binary models know different classes, so that their probabilities mean different things.
    """
    known = all_classes(task, classes)
    truth = coded(rows["label"], known)
    answered = (rows["judged_error"].isna() & rows["against_error"].isna() & ~rows["waits"]).to_numpy()
    values = np.full(len(rows), np.nan)
    judged, against = (numbers(rows.loc[answered, who], task, own, known) for who, own in zip(("judged", "against"), classes, strict=True))
    usable = finite_rows(judged) & finite_rows(against) & np.isfinite(truth[answered])
    there = truth[answered][usable]
    least, greatest = bounds or (-np.inf, np.inf)
    held, own = (np.clip(losses(loss, there, said[usable]), least, greatest) for said in (against, judged))
    values[np.flatnonzero(answered)[usable]] = held - own
    unknown = int((np.isnan(truth) & rows["label"].notna().to_numpy()).sum())
    return Differences(values, unknown, None if task == "regression" else truth)


def block_means(times: pd.Series[Any], values: Floats, waits: NDArray[np.bool_], block: timedelta, known_by: datetime) -> Blocks:
    """Average over blocks that are complete: every label of theirs was due by now, and both versions have come to every row.

    Args:
        times: (n,) event times, datetime64[us, UTC].
        values: (n,) differences; NaN is left out of its block's mean.
        waits: (n,) whether a version has not come to the row yet.
        known_by: event time up to which labels are due: now minus the attribution window.
    """
    width = round(block.total_seconds() * 1e6)
    number = times.to_numpy(dtype="datetime64[us]").astype(np.int64) // width
    complete = (number + 1) * width <= round(known_by.timestamp() * 1e6)
    late = np.unique(number[complete & waits])
    ready = complete & (number < late[0]) if len(late) else complete
    counted = ready & ~np.isnan(values)
    means = pd.Series(values[counted]).groupby(number[counted]).mean().to_numpy(dtype=np.float64)
    return Blocks(means, int(counted.sum()), len(np.unique(number[complete & ~ready])), counted, ready)


def rarer_labels(found: Differences, rows: NDArray[np.bool_]) -> int | None:
    """Return how many of the labels of some rows are not of the commonest class; None for regression.

    What a block of rare labels says hangs on how many of the rare ones fell into it; this is how many independent such events there were.
    """
    if found.classes is None:
        return None
    _, seen = np.unique(found.classes[rows], return_counts=True)
    return int(seen.sum() - seen.max(initial=0))


def all_classes(task: Task, classes: Classes) -> Sequence[object]:
    """Return the classes that either version knows; a UsageError where two binary models know different ones."""
    judged, against = (list(one) for one in classes)
    if task == "binary" and judged != against:
        raise UsageError(f"One version knows the classes {judged}, the other {against}; they cannot be compared.", "Retrain one of them.")
    return [*against, *(one for one in judged if one not in against)]


def numbers(predictions: pd.Series[Any], task: Task, own: Sequence[object], known: Sequence[object]) -> Floats:
    """Return predictions as (n,) numbers; for multiclass (n, k), one for each known class, 0 for those the version does not know."""
    if task != "multiclass":
        return predictions.to_numpy(dtype=np.float64)
    chances = np.zeros((len(predictions), len(known)))
    if len(predictions):
        chances[:, [known.index(one) for one in own]] = np.array(predictions.tolist(), dtype=np.float64)
    return chances


def finite_rows(answers: Floats) -> NDArray[np.bool_]:
    """Return which rows of (n,) or (n, k) numbers are finite throughout."""
    return np.asarray(np.isfinite(answers if answers.ndim == 2 else answers[:, np.newaxis]).all(axis=1))
