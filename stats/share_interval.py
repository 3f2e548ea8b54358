"""Confidence sequence for a share of successes (errors, slow answers): it may be looked at after every trial.

A Beta(1/2, 1/2) mixture of likelihood ratios is a martingale under the true share p, so by Ville's inequality it ever exceeds 1/alpha with
chance alpha at most: the shares at which it does not are the interval. Source: Robbins (1970), Statistical methods related to the law of
the iterated logarithm, Annals of Mathematical Statistics 41(5); for counts also Lindon and Malek (2022), arXiv:2011.03567.
"""

from __future__ import annotations

import math

from stats.confidence_sequence import Interval

_HALVINGS = 60


def share_interval(successes: int, trials: int, alpha: float) -> Interval:
    """Return the interval of the share after so many trials; it holds at any sample size, not only large ones.

    Args:
        successes: how many of the trials; 0 <= successes <= trials.
        alpha: chance, over all looks together, that the bounds ever miss the share.

    Raises:
        ValueError: the counts contradict each other, or alpha is not between 0 and 1.

    >>> found = share_interval(0, 1000, alpha=0.05)
    >>> found.lower, round(found.upper, 4)
    (0.0, 0.007)
    """
    if not 0 < alpha < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} at alpha {alpha} is no share: counts must fit and alpha lie between 0 and 1")
    if trials == 0:
        return Interval(math.nan, 0.0, 1.0, 0)
    observed = successes / trials
    lower = 0.0 if successes == 0 else _edge(successes, trials, alpha, inside=observed, outside=0.0)
    upper = 1.0 if successes == trials else _edge(successes, trials, alpha, inside=observed, outside=1.0)
    return Interval(observed, lower, upper, trials)


def _edge(successes: int, trials: int, alpha: float, inside: float, outside: float) -> float:
    """The share between both at which the mixture reaches 1/alpha, by halving; it grows from the observed share outward."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if _log_mixture(successes, trials, middle) < -math.log(alpha):
            inside = middle
        else:
            outside = middle
    return outside


def _log_mixture(successes: int, trials: int, share: float) -> float:
    failures = trials - successes
    mixed = _log_beta(successes + 0.5, failures + 0.5) - _log_beta(0.5, 0.5)
    likelihood = (successes * math.log(share) if successes else 0.0) + (failures * math.log1p(-share) if failures else 0.0)
    return mixed - likelihood


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
