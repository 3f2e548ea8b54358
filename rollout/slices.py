"""The worst slice: in no value of a named column may the judged version be worse by more than a margin.

Each slice is judged by a confidence sequence of its own over its own blocks. The first one that came up has half of the guardrail's alpha,
the next a sixth, and so on (`rollout.alpha.slice_share`): which is which follows from when it was first asked for, never from its losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.spec import SliceGuardrail
from contracts.verdict import Outcome, Verdict
from rollout.alpha import slice_share
from stats.confidence_sequence import Path
from stats.truth import written

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Slice:
    """One value of the column, and what its blocks say so far."""

    value: str
    blocks: int
    mean: float
    lower: float
    upper: float


def worst_slice(
    version: str,
    values: pd.Series[Any],
    means_of: Callable[[NDArray[np.bool_]], Floats],
    path: Callable[[Floats, float], Path],
    limits: SliceGuardrail,
    alpha: float,
    min_blocks: int,
) -> Verdict:
    """Judge every slice that has enough blocks; it passes while each of their means keeps the margin.

    Args:
        values: (n,) the column's value for each row, in order of event time; rows without one are in no slice.
        means_of: the block means of the loss difference, of the rows in a mask.
        path: the confidence sequence of block means at an alpha.

    Returns:
        FAIL where a slice is shown to be worse by more than the margin; observed and bounds are those of the slice with the least mean.
    """
    name, limit = f"worst_slice {limits.column}", -limits.margin + 0.0
    texts = values.map(written, na_action="ignore")
    found = [
        _judged(str(one), means_of((texts == one).to_numpy()), path, slice_share(alpha, number + 1))
        for number, one in enumerate(texts.dropna().unique())
    ]
    enough = [one for one in found if one.blocks >= min_blocks]
    if not enough:
        said = f"none of the {len(found)} values of {limits.column} has {min_blocks} complete blocks with labels yet"
        return Verdict(name, Outcome.INCONCLUSIVE, None, limit, 0, said)
    failed = [one for one in enough if one.upper < limit]
    worst = min(failed or enough, key=lambda one: one.mean)
    outcome = Outcome.FAIL if failed else Outcome.PASS if worst.mean >= limit else Outcome.INCONCLUSIVE
    said = (
        f"version {version} does worst where {limits.column} is '{worst.value}', of {len(enough)} values judged: it gains {worst.mean:.4g} "
        f"per request there, between {worst.lower:.4g} and {worst.upper:.4g} ({worst.blocks} blocks); the limit is {limit:.4g}"
    )
    return Verdict(name, outcome, worst.mean, limit, worst.blocks, said, worst.lower, worst.upper)


def _judged(value: str, means: Floats, path: Callable[[Floats, float], Path], alpha: float) -> _Slice:
    if not len(means):
        return _Slice(value, 0, 0.0, -np.inf, np.inf)
    whole = path(means, alpha)
    return _Slice(value, len(means), float(whole.mean[-1]), float(whole.lower[-1]), float(whole.upper[-1]))
