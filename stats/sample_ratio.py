"""Sample-ratio mismatch: do units come into the arms in the ratio that was asked for? It may be looked at after every unit.

The counts are held against the asked shares by a Bayes factor whose alternative is a Dirichlet prior around them. It is a martingale
where the shares hold, so it ever exceeds 1/alpha with chance alpha at most. Where shares change, the counts of each allocation are held
against its own shares and the factors multiply. Source: Lindon and Malek (2022), Anytime-valid inference for multinomial count data,
arXiv:2011.03567.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_CONCENTRATION = 100.0  # of the prior: how close to the asked shares a fault is looked for; the paper's example has the same order


def ratio_p_value(allocations: Iterable[tuple[Sequence[int], Sequence[float]]]) -> float:
    """Return the anytime-valid p-value of "units are split as asked for": below alpha with chance alpha at most, over all looks.

    Args:
        allocations: for each one the number of units in every arm, and the shares that were asked for.

    Raises:
        ValueError: counts and shares do not fit together, or the shares do not add up to 1.

    >>> ratio_p_value([([500, 500], [0.5, 0.5])])
    1.0
    >>> ratio_p_value([([600, 400], [0.5, 0.5])]) < 1e-6
    True
    """
    return math.exp(min(0.0, -sum(_log_factor(counts, shares) for counts, shares in allocations)))


def _log_factor(counts: Sequence[int], shares: Sequence[float]) -> float:
    if len(counts) != len(shares) or abs(sum(shares) - 1) > 1e-6 or min(shares) <= 0 or min(counts) < 0:
        raise ValueError(f"counts {list(counts)} and shares {list(shares)} do not fit: one share over 0 for each arm, 1 together")
    prior = [_CONCENTRATION * share for share in shares]
    mixed = _log_beta([a + n for a, n in zip(prior, counts, strict=True)]) - _log_beta(prior)
    return mixed - sum(n * math.log(share) for n, share in zip(counts, shares, strict=True))


def _log_beta(values: Sequence[float]) -> float:
    return sum(map(math.lgamma, values)) - math.lgamma(sum(values))
