"""What moved from one snapshot to another: distributions of the rows of the first and of those that came since, with a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapters.data_repo import DataRepo
from contracts.columns import EVENT_TIME
from contracts.snapshot import Snapshot
from monitoring.reference import thinned
from stats.column_difference import column_difference

_MOST_ROWS = 100_000  # of each side, evenly spread
_MOST_SHOWN = 12
_COLOURS = ("#8a8f98", "#0b7285")


@dataclass(frozen=True, slots=True)
class Moved:
    """One column on both sides.

    Attributes:
        effect: population stability index; 0 is the same, above 0.25 is much.
        p_value: chance of as great a difference where there is none, multiplied by the number of columns (Bonferroni).
        before, after: the mean of numbers, or the commonest value, and the share of missing ones.
    """

    column: str
    effect: float
    p_value: float
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Sides:
    """Rows that are compared, and what they are called."""

    before: pd.DataFrame
    after: pd.DataFrame
    names: tuple[str, str]


def sides(repo: DataRepo, first: Snapshot, second: Snapshot) -> Sides:
    """Return the rows of the first snapshot, and those of the second that came since; all of the second where none did."""
    before, after = repo.frame(first), repo.frame(second)
    since = after[after[EVENT_TIME] > first.watermark]
    names = (first.id, f"{second.id}, since {first.watermark:%Y-%m-%d %H:%M}" if len(since) else second.id)
    shown = [thinned(rows, _MOST_ROWS).reset_index(drop=True) for rows in (before, since if len(since) else after)]
    return Sides(shown[0], shown[1], names)


def moved(found: Sides) -> tuple[Moved, ...]:
    """Return every column that both sides have, the most moved first; times are left out."""
    columns = [name for name in found.before if name in found.after and _compared(found.before[name], found.after[name])]
    answers = {name: column_difference(found.before[name], found.after[name]) for name in columns}
    said = [
        Moved(str(name), one.effect, min(1.0, one.p_value * len(columns)), _told(found.before[name]), _told(found.after[name]))
        for name, one in answers.items()
    ]
    return tuple(sorted(said, key=lambda one: (-one.effect, one.column)))


def draw(found: Sides, columns: Sequence[str], path: Path) -> None:
    """Draw the distributions of the first columns, both sides in one panel, as PNG or SVG by the file's name."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "diff"  # the same rows give the same file
    shown = list(columns)[:_MOST_SHOWN]
    figure = Figure(figsize=(10, 0.8 + 2.2 * -(-len(shown) // 3)), dpi=90, layout="constrained")
    axes = figure.subplots(-(-len(shown) // 3), 3, squeeze=False).ravel()
    for name, axis in zip(shown, axes, strict=False):
        _panel(axis, found, name)
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    axes[0].legend(found.names, frameon=False, fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})


def _panel(axis: Any, found: Sides, name: str) -> None:
    both = [one[name].dropna() for one in (found.before, found.after)]
    if all(_is_number(one) for one in both):
        whole = np.concatenate([one.to_numpy(dtype=np.float64) for one in both])
        edges = np.histogram_bin_edges(whole[np.isfinite(whole)], bins=30)
        for values, colour in zip(both, _COLOURS, strict=True):
            axis.hist(values.to_numpy(dtype=np.float64), bins=edges, density=True, color=colour, alpha=0.55)
    else:
        shares = [one.astype("string").value_counts(normalize=True) for one in both]
        top = (shares[0].add(shares[1], fill_value=0.0)).nlargest(8).index
        for shift, (share, colour) in enumerate(zip(shares, _COLOURS, strict=True)):
            axis.bar(np.arange(len(top)) + 0.4 * shift, [share.get(one, 0.0) for one in top], width=0.4, color=colour)
        axis.set_xticks(np.arange(len(top)) + 0.2, [str(one)[:12] for one in top])
    axis.set_title(name, fontsize=9, loc="left")
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)


def _compared(before: pd.Series, after: pd.Series) -> bool:
    times = any(pd.api.types.is_datetime64_any_dtype(one.dtype) for one in (before, after))
    return not times and len(before) > 0 and len(after) > 0


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)


def _told(column: pd.Series) -> str:
    known = column.dropna()
    middle = "empty" if known.empty else f"mean {known.mean():.4g}" if _is_number(known) else f"mostly '{known.astype('string').mode()[0]}'"
    missing = float(column.isna().mean())
    return f"{middle}, {missing:.1%} missing" if missing else middle
