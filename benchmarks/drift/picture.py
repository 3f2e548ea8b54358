"""The power curves: a panel for each kind of change, a line for each monitor."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.drift.windows import SIZES

_UNITS = {
    "mean": "shift, standard deviations",
    "spread": "standard deviation more by",
    "shares": "share of rows in another category",
    "missing": "share of rows missing",
    "unseen": "share of rows of an unseen category",
    "correlation": "correlation where there was none",
}
_COLOURS = {"ours": "#1f6f8b", "evidently": "#c2410c", "frouros": "#7048e8", "nannyml": "#2b8a3e", "river": "#8a8a8a"}


def draw(curves: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw the share of windows that alarmed over the size of the change.

    Args:
        curves: by monitor, a frame of kind, size, mean, windows.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.6), layout="constrained")
    for axis, kind in zip(figure.subplots(2, 3, sharey=True).flat, SIZES, strict=True):
        for name, curve in curves.items():
            part = curve[curve["kind"] == kind]
            windows = int(curve["windows"].sum())
            axis.plot(
                part["size"],
                part["mean"],
                color=_COLOURS[name],
                lw=2 if name == "ours" else 1.3,
                marker="o",
                ms=3,
                label=f"{name}, {windows} windows",
            )
        axis.set_title(kind, fontsize=9, loc="left")
        axis.set_xlabel(_UNITS[kind], fontsize=8)
        axis.set_ylim(-0.02, 1.02)
        axis.grid(alpha=0.25)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False, fontsize=7, loc="lower right")
    figure.suptitle("Power at equal false alarms", fontsize=10)
    with mpl.rc_context({"svg.hashsalt": "monitors"}):  # the same numbers give the same file
        figure.savefig(path, metadata={"Date": None})
