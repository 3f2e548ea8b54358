"""What part of a gain is the moving base rate: the first model with nothing refitted but its intercept.

Where the share of positives moves, a refit gains twice: its level follows, and what it knows about the columns is fresh. The first needs no
refit. So the first model's log odds are shifted by one number at each step, such that its mean answer on the newest labelled rows is their
share of positives. (Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", Neural
Computation 14, 2002, make the same shift without labels.) It cannot change the order of rows within a step.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from stats.truth import coded
from understudy.backtest.walk import Calendar
from understudy.backtest.world import Version, World

Floats = NDArray[np.float64]
_LEAST = 50  # labelled rows; with fewer the intercept stays
_MOST = 30.0  # of log odds, either way
_EDGE = 1e-6  # an answer of exactly 0 or 1 has no log odds


def shift_for(answers: Floats, positives: float) -> float:
    """Return what to add to the log odds of answers so that their mean is the share of positives.

    Args:
        answers: (n,) probabilities. positives: between 0 and 1, neither of them.

    >>> round(shift_for(np.array([0.5, 0.5]), 0.25), 4)
    -1.0986
    """
    odds = logit(np.clip(answers, _EDGE, 1 - _EDGE))
    return float(brentq(lambda shift: float(expit(odds + shift).mean()) - positives, -_MOST, _MOST))


def moved(answers: Floats, shift: float) -> Floats:
    """Return answers whose log odds are shifted."""
    found: Floats = expit(logit(np.clip(answers, _EDGE, 1 - _EDGE)) + shift)
    return found


def follow_base_rate(world: World, version: Version, rows: NDArray[np.int64], calendar: Calendar) -> Floats:
    """Return what a version would have answered to rows had its intercept followed the base rate, step by step, on labels known by then.

    Args:
        rows: (n,) their numbers, in order of time.
    """
    found = world.answers(version, rows).astype(np.float64)
    for at in calendar.looks:
        first, end = (int(np.searchsorted(rows, world.upto(one))) for one in (at, at + calendar.step))
        if end > first:
            found[first:end] = moved(found[first:end], _shift_at(world, version, at))
    return found


def _shift_at(world: World, version: Version, at: datetime) -> float:
    """Look at the newest labelled rows that the version was not fitted on; as many as a refit would see at the most."""
    known = np.arange(world.upto(version.model.cutoff), world.known(at))
    windows = [one for one in world.spec.train.windows if one is not None]
    if windows:
        known = known[known >= world.upto(at - min(windows))]
    truth = coded(world.labels.iloc[known], version.package.manifest.classes)
    known, truth = known[np.isfinite(truth)], truth[np.isfinite(truth)]
    if len(known) < _LEAST:
        return 0.0
    share = (float(truth.sum()) + 0.5) / (len(truth) + 1)
    return shift_for(world.answers(version, known), share)
