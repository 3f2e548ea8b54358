"""What is not as it was when a version was fitted, each in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adapters.environment import FITTED_WITH

_SHOWN = 8
_FIRST = ("python", "machine", *FITTED_WITH)  # what a fit's bytes depend on is named before the other two hundred


@dataclass(frozen=True, slots=True)
class Predictions:
    """The answers of the refit beside those recorded, on the same held-out rows.

    Attributes:
        differing: rows with another answer, bit by bit. greatest: difference of any answer. row: the first that differs.
    """

    rows: int
    differing: int
    greatest: float
    row: int | None

    def __str__(self) -> str:
        if not self.differing:
            return f"All {self.rows} recorded predictions are the same, bit by bit"
        said = f"{self.differing} of {self.rows} recorded predictions differ, by up to {self.greatest:.3g}"
        return f"{said}; the first is held-out row {self.row}"


def compare_predictions(recorded: pd.DataFrame, answers: np.ndarray) -> Predictions:
    """Compare answers with those recorded.

    Args:
        recorded: `row`, the place among the held-out rows, and one column for each number of an answer.
        answers: to all held-out rows, (n,) or (n, k).
    """
    then = recorded.drop(columns="row").to_numpy()
    now = answers.reshape(len(answers), -1)[recorded["row"].to_numpy()]
    other = ((then != now) & ~(np.isnan(then) & np.isnan(now))).any(axis=1)
    greatest = float(np.nanmax(np.abs(then[other] - now[other]))) if other.any() else 0.0
    return Predictions(len(recorded), int(other.sum()), greatest, int(recorded["row"].to_numpy()[other][0]) if other.any() else None)


def changed_lines(then: str, now: str) -> list[str]:
    """Compare texts of `name==value` lines: `name 1 → 2`, `name 1, gone`, `name 2, not there before`; what decides a fit comes first."""
    before, after = _read(then), _read(now)
    names = sorted({*before, *after}, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    return [_line(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _read(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("==") for line in text.splitlines())}


def _line(name: str, then: str | None, now: str | None) -> str:
    if then is None:
        return f"{name} {now}, not there before"
    return f"{name} {then}, gone" if now is None else f"{name} {then} → {now}"


def some(changes: Sequence[str]) -> str:
    """Return the first few, and how many more there are."""
    return "; ".join(changes[:_SHOWN]) + (f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else "")


def file_differences(then: dict[str, bytes], now: dict[str, bytes]) -> list[str]:
    """Name the first file of the package that differs, and where."""
    for name in sorted({*then, *now}):
        old, new = then.get(name), now.get(name)
        if old == new:
            continue
        if old is None or new is None:
            return [f"Package file {name} is only in the {'refit' if old is None else 'registered package'}."]
        at = next((place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        return [f"Package file {name} differs first at byte {at} ({len(old)} bytes registered, {len(new)} refitted)."]
    return []
