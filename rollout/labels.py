"""Labels: whether enough requests have one, and whether those that have one are like those that have none.

Only requests whose label is due are looked at: those in complete blocks. A label that came late or was mended counts once, at its last
value; it may come as long as the attribution window is open, and one that comes even later counts from the next tick on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from contracts.verdict import Outcome, Verdict
from stats.column_difference import Difference, column_difference

COVERAGE = "label_coverage"  # the gates' names
BIAS = "label_bias"
_PARTS = 10
_PARTS_BELOW = 2  # of ten parts in time; with more of them below the limit the sequence would have holes
_LEAST_ROWS = 200  # of each side; with fewer the effect size is mostly noise
_FALSE_DISCOVERIES = 0.05
_LEAST_EFFECT = 0.2  # population stability index; 0.1 to 0.25 is commonly called a moderate shift

Mask = NDArray[np.bool_]


def coverage(rows: pd.DataFrame, due: Mask, limit: float) -> Verdict:
    """Judge the share of due requests that have a label: in each arm, and in time.

    Args:
        rows: as `rollout.pairs.pair` gives them: in order of event time, with the label and the arm that answered.
        due: (n,) which of them are due.
        limit: the least share.

    Returns:
        PASS or INCONCLUSIVE. Observed is the share of the arm that has the fewest. It is INCONCLUSIVE where that lies under the limit, and
        where more than two of ten parts of equal size, cut in order of time, do.
    """
    there = rows.loc[due, "label"].notna()
    if there.empty:
        return Verdict(COVERAGE, Outcome.INCONCLUSIVE, None, limit, 0, "no request whose label is due has been answered yet")
    arms = there.groupby(rows.loc[due, "arm"]).mean()
    parts = np.array([part.mean() for part in np.array_split(there.to_numpy(), min(_PARTS, len(there)))])
    lacking = int((parts < limit).sum())
    few = arms.min() < limit or lacking > _PARTS_BELOW
    said = (
        f"{_shown(there.mean())} of {len(there)} due requests have a label ({_by_arm(arms)}; in tenths of the time from "
        f"{_shown(parts.min())} to {_shown(parts.max())}, {_shown(parts[-1])} in the last one); at least {_shown(limit)} are needed"
    )
    return Verdict(COVERAGE, Outcome.INCONCLUSIVE if few else Outcome.PASS, float(arms.min()), limit, len(there), said)


def bias(rows: pd.DataFrame, due: Mask, asked_of: Callable[[], pd.DataFrame], rule: Literal["wait", "warn"]) -> Verdict:
    """Judge whether labelled and unlabelled requests differ: in any feature, or in what the versions answered.

    Each column has a two-sample test, corrected over all of them (Benjamini-Hochberg at 0.05), and an effect size (population stability
    index, from 0.2 on). Rows count as independent in the tests; the effect size keeps a trifle from being called a difference.

    Args:
        rows, due: as for `coverage`.
        asked_of: gives what was asked and answered, (n, columns) in the order of `rows`; not called where there are too few to compare.
        rule: `wait` makes a difference INCONCLUSIVE, so that nobody is promoted on it; `warn` only says so.
    """
    labelled = rows["label"].notna().to_numpy()
    known, count = int((due & labelled).sum()), int((due & ~labelled).sum())
    if min(known, count) < _LEAST_ROWS:
        said = f"{known} labelled and {count} unlabelled due requests; from {_LEAST_ROWS} of each on they are compared"
        return Verdict(BIAS, Outcome.PASS, None, _LEAST_EFFECT, count, said)
    asked = asked_of()
    before, after = asked[due & labelled], asked[due & ~labelled]
    compared = {str(name): column_difference(before[name], after[name]) for name in asked.columns}
    name, effect = max(((name, one.effect) for name, one in compared.items()), key=lambda one: one[1])
    differ = _differing(compared)
    if not differ:
        said = f"labelled and unlabelled requests are alike ({known} and {count}; most unlike in {name}, stability index {effect:.2g})"
        return Verdict(BIAS, Outcome.PASS, effect, _LEAST_EFFECT, count, said)
    listed = ", ".join(f"{one} (stability index {compared[one].effect:.2g})" for one in differ[:3])
    said = (
        f"the {count} unlabelled requests differ from the {known} labelled ones in {listed}: the verdict speaks of the labelled ones only"
    )
    return Verdict(BIAS, Outcome.INCONCLUSIVE if rule == "wait" else Outcome.PASS, effect, _LEAST_EFFECT, count, said)


def _differing(compared: dict[str, Difference]) -> list[str]:
    adjusted = false_discovery_control([one.p_value for one in compared.values()])
    found = [
        name
        for (name, one), p_value in zip(compared.items(), adjusted, strict=True)
        if p_value <= _FALSE_DISCOVERIES and one.effect >= _LEAST_EFFECT
    ]
    return sorted(found, key=lambda name: -compared[name].effect)


def _by_arm(arms: pd.Series[Any]) -> str:
    return ", ".join(f"{name} {_shown(share)}" for name, share in arms.items())


def _shown(share: float) -> str:
    return f"{share:.1%}"
