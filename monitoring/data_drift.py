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
from monitoring.column import counted, present
from stats.psi import psi, psi_counts
from stats.smooth_test import smooth_p_value
from stats.two_sample import chi2_p_value

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
    compared = []
    for name in features.all:
        test = _numbers if name in features.numeric else _words
        compared += [one for one in test(name, reference, window) if one is not None]
    adjusted = false_discovery_control([one.p_value for one in compared])
    found = [_finding(one, float(p), limits) for one, p in zip(compared, adjusted, strict=True)]
    return tuple(one for one in found if one.monitor == "data_drift" or one.severity is not Severity.INFO)


def categories(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the categories of each column, as they are written."""
    return {name: frozenset(counted(frame, name).index) for name in names}


def unseen_categories(known: Mapping[str, frozenset[str]], window: pd.DataFrame) -> tuple[Finding, ...]:
    """Return a finding for each column with categories that no training row had: `warn` from one row in a hundred on.

    Args:
        known: the categories of the training rows, by column.
    """
    found = []
    for name, before in known.items():
        counts = counted(window, name)
        fresh = counts[~counts.index.isin(before)]
        if len(fresh):
            share = int(fresh.sum()) / len(window)
            severity = Severity.WARN if share >= _UNSEEN else Severity.INFO
            shown = ", ".join(f"'{one}'" for one in fresh.index[:3])
            reason = f"{name}: {share:.1%} of rows have a category the champion never saw: {shown}"
            found.append(Finding("unseen", name, severity, share, _UNSEEN, None, len(window), reason))
    return tuple(found)


def _numbers(name: str, reference: pd.DataFrame, window: pd.DataFrame) -> tuple[_Compared | None, ...]:
    columns = [np.sort(present(frame, name, numeric=True).to_numpy()) for frame in (reference, window)]  # once, for all that follows
    old, new = (column[: np.searchsorted(column, np.nan)] for column in columns)
    missing = _missing(name, (len(old), len(new)), (len(reference), len(window)))
    if not (len(old) and len(new)):
        return (missing,)
    then, now = ((column[(len(column) - 1) // 2] + column[len(column) // 2]) / 2 for column in (old, new))  # medians, for they are in order
    change = f"median {then:.4g} then, {now:.4g} now"
    return _Compared("data_drift", name, smooth_p_value(old, new), psi(old, new), len(new), change), missing


def _words(name: str, reference: pd.DataFrame, window: pd.DataFrame) -> tuple[_Compared | None, ...]:
    table = pd.concat([counted(reference, name), counted(window, name)], axis=1).fillna(0).astype("int64")
    old, new = table.to_numpy().T
    known = int(old.sum()), int(new.sum())
    missing = _missing(name, known, (len(reference), len(window)))
    if not all(known):
        return (missing,)
    place = int(np.abs(new / known[1] - old / known[0]).argmax())
    change = f"'{table.index[place]}' {old[place] / known[0]:.0%} then, {new[place] / known[1]:.0%} now"
    effect = psi_counts(np.append(old, 0), np.append(new, 0))
    return _Compared("data_drift", name, chi2_p_value(old, new), effect, known[1], change), missing


def _missing(name: str, known: tuple[int, int], rows: tuple[int, int]) -> _Compared | None:
    if known == rows:
        return None
    old, new = (np.array([there, all_of - there]) for there, all_of in zip(known, rows, strict=True))
    change = f"missing {old[1] / rows[0]:.1%} then, {new[1] / rows[1]:.1%} now"
    return _Compared("missing", name, chi2_p_value(old, new), psi_counts(old, new), rows[1], change)


def _finding(one: _Compared, p_value: float, limits: Monitors) -> Finding:
    moved = p_value <= limits.fdr and one.effect >= limits.min_effect
    verb = "moved" if moved else "is as in the reference"
    reason = f"{one.column} {verb}: {one.change}; stability index {one.effect:.3f} (limit {limits.min_effect:g}), p {p_value:.2g}"
    severity = Severity.WARN if moved else Severity.INFO
    return Finding(one.monitor, one.column, severity, one.effect, limits.min_effect, p_value, one.samples, reason)
