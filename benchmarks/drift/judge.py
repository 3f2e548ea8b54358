"""False alarms and power from scores: a peer's threshold is put where it alarms as often as ours on windows without a change."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

Scores = list[dict[str, dict[str, float]]]  # by pair: detector, column, score


@dataclass(frozen=True, slots=True)
class Seen:
    """What one monitor, set up in one way, saw.

    Attributes:
        setup: its detectors.
        alarms: (n,) for each of the first n pairs, whether it alarmed.
    """

    setup: str
    alarms: NDArray[np.bool_]


def interval(alarms: int, windows: int) -> tuple[float, float]:
    """Return the binomial (Clopper-Pearson) 95 % interval of a rate."""
    found = binomtest(alarms, windows).proportion_ci(0.95)
    return float(found.low), float(found.high)


def by_window(scores: Scores, null: NDArray[np.bool_]) -> pd.DataFrame:
    """Return one score a window and detector: the greatest over columns, each in units of what is usual for it without a change.

    Args:
        null: (n,) which of the pairs have no change.
    """
    found = {}
    for detector in dict.fromkeys(name for one in scores for name in one):
        columns = pd.DataFrame([one.get(detector, {}) for one in scores]).fillna(0.0)
        usual = columns[null].abs().quantile(0.9)
        found[detector] = (columns / usual.where(usual > 0, columns[null].abs().max()).replace(0.0, 1.0)).max(axis=1)
    return pd.DataFrame(found)


def setups(scores: pd.DataFrame, null: NDArray[np.bool_], rate: float, together: int = 3) -> list[Seen]:
    """Return what every way to set a peer up sees: its detectors alone, and up to so many together, each way at the same false alarms.

    Args:
        rate: of false alarms; the threshold is the lowest with no more of them, and one window in the peer's favour.
    """
    ranks = {name: _null_p(scores[name].to_numpy(), null) for name in scores}
    found = []
    for count in range(1, together + 1):
        for chosen in combinations(ranks, count):
            least = np.min([ranks[name] for name in chosen], axis=0)
            found.append(Seen(" + ".join(chosen), least < _limit(least[null], rate)))
    return found


def _null_p(scores: NDArray[np.float64], null: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of windows without a change that score as high; below it, higher scores still count as less."""
    usual = np.sort(scores[null])
    above = (len(usual) - np.searchsorted(usual, scores, side="left")) / len(usual)
    return above + 1e-9 / (1 + np.abs(scores))


def _limit(usual: NDArray[np.float64], rate: float) -> float:
    return float(np.sort(usual)[min(int(np.ceil(rate * len(usual))), len(usual) - 1)])


def power(alarms: NDArray[np.bool_], pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the share of alarms by kind and size, and of how many windows."""
    seen = pairs.iloc[: len(alarms)].assign(alarm=alarms)
    return seen.groupby(["kind", "size"], as_index=False).agg(mean=("alarm", "mean"), windows=("alarm", "count"))


def compared(ours: NDArray[np.bool_], peer: NDArray[np.bool_], pairs: pd.DataFrame, kind: str) -> tuple[float, float, float]:
    """Return the power of both over a kind's sizes, on the pairs that both saw, and the standard error of the difference."""
    seen = (pairs["kind"] == kind).to_numpy()[: len(peer)]
    mine, theirs = ours[: len(peer)][seen].astype(float), peer[seen].astype(float)
    error = float(np.std(mine - theirs, ddof=1) / np.sqrt(seen.sum())) if seen.sum() > 1 else 1.0
    return float(mine.mean()), float(theirs.mean()), error
