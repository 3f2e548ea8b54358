"""Error drift: is the champion's loss on live labels above what its held-out rows led to expect?

Losses are averaged in blocks, since rows of one block belong together. The limit of a block is the expected loss (its upper confidence
bound, for held-out rows are few) times 1 + `error_margin`, times the factor of its hour of the day. A betting e-detector
(stats/e_detector.py) adds up the evidence that from some unknown block on the mean is above the limit, so good days before a shift do not
dilute the bad ones after it, and it may be looked at after every block.

Promise: as long as the expected loss of every block, given the past, is at most its limit, a `retrain` comes within any one window with a
chance of at most `alpha`, and on average not before window / alpha (140 days at the defaults). Nothing is assumed about the losses'
distribution or spread. The confidence bound of the expectation misses with a chance of `alpha` too, once for each champion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from contracts.events import Finding, Severity
from contracts.spec import Monitors
from stats.e_detector import rise

_DAY = timedelta(days=1)
_DAYS = 3  # of held-out rows, before hours of the day have factors of their own
_LEAST = 1e-12  # an expected loss of exactly 0 would leave nothing to bet against


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the loss of a block is expected to be.

    Attributes:
        mean: of the held-out blocks, in the loss's unit.
        slack: upper confidence bound of that mean, as a multiple of it.
        profile: (24,) factor of each hour of the day in UTC.
        blocks: how many there were.
    """

    mean: float
    slack: float
    profile: NDArray[np.float64]
    blocks: int

    def of(self, starts: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Return the expected loss of each block."""
        expected: NDArray[np.float64] = self.mean * self.profile[starts.hour]
        return expected

    @property
    def most(self) -> float:
        """The expected loss in the worst hour of the day."""
        return float((self.mean * self.profile).max())


def block_means(times: pd.Series, losses: NDArray[np.float64], block: timedelta) -> pd.Series:
    """Return the mean loss of each block that has any row, indexed by the block's start."""
    return pd.Series(losses, index=pd.DatetimeIndex(times).floor(pd.Timedelta(block))).groupby(level=0).mean()


def expectation(blocks: pd.Series, limits: Monitors) -> Expectation | None:
    """Return what held-out blocks lead to expect, or None where fewer than two of them say nothing about their spread."""
    count = len(blocks)
    if count < 2:
        return None
    mean = max(float(blocks.mean()), _LEAST)
    error = float(blocks.std(ddof=1)) / math.sqrt(count)
    slack = 1 + float(t.ppf(1 - limits.alpha, count - 1)) * error / mean
    return Expectation(mean, slack, _profile(blocks, mean, limits.error_block), count)


def _profile(blocks: pd.Series, mean: float, block: timedelta) -> NDArray[np.float64]:
    """Return each hour's mean over the whole mean, as if one day without any season had been seen beside."""
    starts = pd.DatetimeIndex(blocks.index)
    days = starts.normalize().nunique()
    if block >= _DAY or days < _DAYS:
        return np.ones(24)
    by_hour = blocks.groupby(starts.hour).mean().reindex(range(24), fill_value=mean).to_numpy()
    factors = (days * by_hour / mean + 1) / (days + 1)
    return np.asarray(factors / factors[starts.hour].mean())


def error_drift(
    expected: Expectation | None, times: pd.Series, losses: NDArray[np.float64], loss: str, known_before: datetime, limits: Monitors
) -> tuple[Finding, ...]:
    """Return one finding: `retrain` where the loss rose beyond the margin.

    Args:
        times, losses: (n,) event times and losses of all labelled rows that the champion answered after its cutoff, in any order.
        loss: the loss's name.
        known_before: labels of rows before this time have all come; blocks that end later are left out.
    """
    blocks = block_means(times, losses, limits.error_block)
    blocks = blocks[pd.DatetimeIndex(blocks.index) <= pd.Timestamp(known_before - limits.error_block)]
    if expected is None or len(times) < limits.min_labels or blocks.empty:
        reason = _why_not(expected, len(times), limits)
        return (Finding("error_drift", loss, Severity.INFO, None, limits.error_margin, None, len(times), reason),)
    starts = pd.DatetimeIndex(blocks.index)
    usual, limit = expected.of(starts), expected.slack * (1 + limits.error_margin)
    seen = rise(blocks.to_numpy(), limit * usual, top=limit * expected.most)
    p_value = min(1.0, math.ceil(limits.window / limits.error_block) / seen.evidence)
    alarmed = p_value <= limits.alpha
    first = max(int(starts.searchsorted(starts[-1] - limits.window, side="right")), seen.start if alarmed else 0)
    live, then = float(blocks.iloc[first:].mean()), float(usual[first:].mean())
    rose = alarmed and live > limit * then  # a rise that is over is no reason to refit
    reason = (
        f"{loss} {'rose to' if rose else 'is'} {live:.4g} since {starts[first]:%Y-%m-%d %H:%M} where {then:.4g} was expected: "
        f"{live / then - 1:+.0%} (limit {limits.error_margin:+.0%}, and {expected.slack - 1:.0%} because the expectation is uncertain), "
        f"p {p_value:.2g}"
    )
    severity = Severity.RETRAIN if rose else Severity.INFO
    return (Finding("error_drift", loss, severity, live / then - 1, limits.error_margin, p_value, len(times), reason),)


def _why_not(expected: Expectation | None, labelled: int, limits: Monitors) -> str:
    if expected is None:
        return "the champion's held-out rows fill fewer than two blocks: nothing is known of its expected loss; lengthen train.holdout"
    if labelled < limits.min_labels:
        return f"{labelled} rows are labelled; {limits.min_labels} are needed"
    return "no block is complete yet: its rows or their labels are still to come"
