"""Data drift: do the columns of a window come from the distribution that the champion was trained on?

Each column has a two-sample test, corrected over all of them (Benjamini-Hochberg), and an effect size: with enough rows every trifle is
significant, so a word is said only where the population stability index is large too. Never louder than `warn`: on seasonal data inputs
move all the time, and a model may well be right about the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from contracts.events import Finding, Severity
from contracts.spec import Features, Monitors
from monitoring.column import present
from stats.psi import psi, psi_categories
from stats.two_sample import chi2_p_value, ks_p_value

_UNSEEN = 0.01  # share of rows with a category that no training row had


@dataclass(frozen=True, slots=True)
class _Compared:
    """One column's test before correction."""

    monitor: str
    column: str
    p_value: float
    effect: float
    samples: int
    change: str


def data_drift(reference: pd.DataFrame, window: pd.DataFrame, features: Features, limits: Monitors) -> tuple[Finding, ...]:
    """Return a finding for each column: `info` where it is as in the reference, `warn` where it moved.

    Where no column truly moved, and rows are independent, the chance of any `warn` is at most `limits.fdr`.

    Args:
        reference, window: the feature columns, one row each; a column that is absent counts as missing throughout.
    """
    if min(len(reference), len(window)) < limits.min_rows:
        reason = f"{len(window)} rows against {len(reference)} of the reference; {limits.min_rows} of each are needed"
        return (Finding("data_drift", "rows", Severity.INFO, None, None, None, len(window), reason),)
    before, after = (
        {name: present(frame, name, numeric=name in features.numeric) for name in features.all} for frame in (reference, window)
    )
    pairs = [(name, before[name], after[name]) for name in features.all]
    compared = [one for pair in pairs for one in (_distribution(*pair), _missing(*pair)) if one is not None]
    adjusted = false_discovery_control([one.p_value for one in compared])
    found = [_finding(one, float(p), limits) for one, p in zip(compared, adjusted, strict=True)]
    return tuple(one for one in found if one.monitor == "data_drift" or one.severity is not Severity.INFO)


def categories(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the categories of each column, as they are written."""
    return {name: frozenset(present(frame, name, numeric=False).dropna().unique()) for name in names}


def unseen_categories(known: Mapping[str, frozenset[str]], window: pd.DataFrame) -> tuple[Finding, ...]:
    """Return a finding for each column with categories that no training row had: `warn` from one row in a hundred on.

    Args:
        known: the categories of the training rows, by column.
    """
    found = []
    for name, before in known.items():
        values = present(window, name, numeric=False).dropna()
        fresh = values[~values.isin(before)]
        if len(fresh):
            share = len(fresh) / len(window)
            severity = Severity.WARN if share >= _UNSEEN else Severity.INFO
            shown = ", ".join(f"'{one}'" for one in fresh.value_counts().index[:3])
            reason = f"{name}: {share:.1%} of rows have a category the champion never saw: {shown}"
            found.append(Finding("unseen", name, severity, share, _UNSEEN, None, len(window), reason))
    return tuple(found)


def _distribution(name: str, before: pd.Series, after: pd.Series) -> _Compared | None:
    before, after = before.dropna(), after.dropna()
    if before.empty or after.empty:
        return None
    if before.dtype == "float64":
        old, new = before.to_numpy(), after.to_numpy()
        change = f"median {np.median(old):.4g} then, {np.median(new):.4g} now"
        return _Compared("data_drift", name, ks_p_value(old, new), psi(old, new), len(new), change)
    p_value, effect = chi2_p_value(before, after), psi_categories(before.to_numpy(), after.to_numpy())
    return _Compared("data_drift", name, p_value, effect, len(after), _most_moved(before, after))


def _most_moved(before: pd.Series, after: pd.Series) -> str:
    old, new = before.value_counts(normalize=True), after.value_counts(normalize=True)
    moved = str(new.sub(old, fill_value=0).abs().idxmax())
    return f"'{moved}' {old.get(moved, 0.0):.0%} then, {new.get(moved, 0.0):.0%} now"


def _missing(name: str, before: pd.Series, after: pd.Series) -> _Compared | None:
    old, new = before.isna(), after.isna()
    if not (old.any() or new.any()):
        return None
    change = f"missing {old.mean():.1%} then, {new.mean():.1%} now"
    return _Compared("missing", name, chi2_p_value(old, new), psi_categories(old.to_numpy(), new.to_numpy()), len(new), change)


def _finding(one: _Compared, p_value: float, limits: Monitors) -> Finding:
    moved = p_value <= limits.fdr and one.effect >= limits.min_effect
    verb = "moved" if moved else "is as in the reference"
    reason = f"{one.column} {verb}: {one.change}; stability index {one.effect:.3f} (limit {limits.min_effect:g}), p {p_value:.2g}"
    severity = Severity.WARN if moved else Severity.INFO
    return Finding(one.monitor, one.column, severity, one.effect, limits.min_effect, p_value, one.samples, reason)
