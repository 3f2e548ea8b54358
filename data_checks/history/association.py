"""Do the features still tell the target? The one damage that no single column shows: a target joined to other rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from contracts.checks import Association
from contracts.verdict import Verdict
from data_checks.history.saying import judged, not_judged
from data_checks.history.stretches import FEWEST_ROWS, stretches, thinned

_MOST_ROWS = 6_000  # that a forest is fitted on: enough to see whether there is a relation, not to be a good model
_WORTH = 0.2  # rank correlation below which the features tell too little of the target to miss it
_CATEGORIES = 200

_Floats = NDArray[np.float64]


def association(
    check: Association, batch: pd.DataFrame, reference: pd.DataFrame, features: list[str], target: str, *, classes: bool
) -> Verdict:
    """Hold the rank correlation between a forest's answers and the batch's target against what the reference's own later rows had.

    Args:
        check: how much of it must be left.
        batch: rows with event_time. reference: the same, in its order.
        features: the columns that the forest sees.
        target: the truth.
        classes: the target is a class; each class then counts by its share.
    """
    rows, past = thinned(batch.dropna(subset=[target])), reference.dropna(subset=[target])
    names = [name for name in features if name in rows.columns and name in past.columns]
    if len(rows) < FEWEST_ROWS or len(past) < 10 * FEWEST_ROWS or not names or rows[target].nunique() < 2:
        return not_judged("association", "there are too few rows, or the target has one value.")
    usual = _usual(past, batch, names, target, classes=classes)
    if usual is None or usual[1] < _WORTH:
        return not_judged("association", f"in the reference the features tell too little of {target} to miss it.")
    observed = _Forest(past, names, target, classes=classes).correlation(rows)
    limit = min(check.keep * usual[1], usual[0])
    reason = (
        f"a forest fitted on the reference tells {target} with a rank correlation of {observed:.2f}; in the reference's own later rows "
        f"it was {usual[1]:.2f} ({usual[0]:.2f} at the least), and {limit:.2f} are asked for."
    )
    return judged("association", check, observed, limit, len(rows), reason, met=observed >= limit)


def _usual(past: pd.DataFrame, batch: pd.DataFrame, names: list[str], target: str, *, classes: bool) -> tuple[float, float] | None:
    """Return least and median correlation on the reference's later stretches, by one forest fitted on what came before all of them."""
    pairs = list(stretches(past, batch))
    if not pairs:
        return None
    forest = _Forest(pairs[0][0], names, target, classes=classes)
    found = [forest.correlation(stretch) for _, stretch in pairs if stretch[target].nunique() > 1]
    return (min(found), float(np.median(found))) if found else None


class _Forest:
    """A forest on ranks of the target, or on one column of 0 and 1 per class."""

    def __init__(self, rows: pd.DataFrame, names: list[str], target: str, *, classes: bool) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self._names, self._target = names, target
        self._known = {name: _codes(rows[name]) for name in names if not pd.api.types.is_numeric_dtype(rows[name].dtype)}
        self._classes = list(rows[target].value_counts().index) if classes else None
        self._trees = ExtraTreesRegressor(n_estimators=10, min_samples_leaf=5, random_state=0, n_jobs=1)
        few = thinned(rows, _MOST_ROWS)
        answers = self._answers(few)
        self._trees.fit(self._inputs(few), answers if answers.shape[1] > 1 else answers.ravel())

    def correlation(self, rows: pd.DataFrame) -> float:
        """Spearman's rank correlation of answers and truth; over classes the mean, each counted by its share."""
        truth = self._answers(rows)
        guess = np.asarray(self._trees.predict(self._inputs(rows))).reshape(truth.shape)
        shares = truth.sum(axis=0) if self._classes is not None else np.ones(1)
        found = np.array([_spearman(truth[:, one], guess[:, one]) for one in range(truth.shape[1])])
        return float((found * shares).sum() / shares.sum()) if shares.sum() else 0.0

    def _inputs(self, rows: pd.DataFrame) -> _Floats:
        columns = [rows[name].astype("string").map(self._known[name]) if name in self._known else rows[name] for name in self._names]
        values = np.column_stack([pd.to_numeric(one, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan) for one in columns])
        return np.where(np.abs(values) < np.finfo(np.float32).max, values, np.nan)

    def _answers(self, rows: pd.DataFrame) -> _Floats:
        if self._classes is None:
            return rankdata(rows[self._target].to_numpy(dtype=np.float64)).reshape(-1, 1)
        return np.column_stack([(rows[self._target] == one).to_numpy(dtype=np.float64) for one in self._classes])


def _codes(column: pd.Series) -> dict[str, int]:
    return {text: code for code, text in enumerate(column.astype("string").dropna().value_counts().index[:_CATEGORIES])}


def _spearman(truth: _Floats, guess: _Floats) -> float:
    if np.ptp(truth) == 0 or np.ptp(guess) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(truth), rankdata(guess))[0, 1])
