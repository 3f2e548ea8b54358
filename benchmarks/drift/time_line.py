"""The alarms over time, under the champion's error, with the retrains they caused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.drift.raw_alarms import Week
from contracts.rollout import Act
from understudy.backtest.cost import Cost
from understudy.backtest.walk import Refit

_GREY, _OURS, _ALARM, _RAW = "#9aa3ad", "#1f6f8b", "#c2410c", "#d9b38c"


def by_error(refit: Refit) -> bool:
    """Return whether the error asked for a retrain, and not only the champion's age."""
    return "rose to" in refit.reason


def draw(name: str, loss: str, never: Cost, drift: Cost, weeks: Sequence[Week], path: Path) -> None:
    """Draw the weekly loss with and without retrains, each retrain-level alarm, and below it what alarms on inputs would have said."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for cost, colour, label in (
        (never, _GREY, f"never refitted: {never.loss:.3g}"),
        (drift, _OURS, f"refitted on alarms: {drift.loss:.3g}"),
    ):
        points = [point for point in cost.over_time if point.loss is not None]
        above.plot([one.at for one in points], [one.loss for one in points], color=colour, lw=1.6, label=label)  # type: ignore[misc]  # no None is left
    _alarms(above, drift)
    above.set_ylabel(f"{loss}, mean by week")
    above.set_ylim(bottom=0)
    above.legend(
        frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=3
    )  # over the plot: alarms may be anywhere in it
    above.set_title(name, fontsize=10, loc="left")
    _strips(below, drift, weeks)
    for axis in (above, below):
        axis.spines[["top", "right"]].set_visible(False)
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):  # the same numbers give the same file; words stay words
        figure.savefig(path, metadata={"Date": None})


def _alarms(axis: Any, drift: Cost) -> None:
    for number, one in enumerate(refit for refit in drift.refits if refit.cause == "drift"):
        cause = "error" if by_error(one) else "age"
        axis.axvline(one.at, color=_ALARM, lw=1, ls="-" if cause == "error" else ":")
        axis.annotate(
            f"{number + 1} {cause}",
            (one.at, 1),
            xycoords=("data", "axes fraction"),
            fontsize=7,
            color=_ALARM,
            rotation=90,
            ha="right",
            va="top",
        )
    promoted = [one.at for one in drift.decided if one.act is Act.PROMOTE]
    axis.plot(promoted, [0] * len(promoted), marker="^", ls="", color=_OURS, ms=6, clip_on=False, label="promoted")


def _strips(axis: Any, drift: Cost, weeks: Sequence[Week]) -> None:
    strips = {
        "PSI > 0.25": [one.at for one in weeks if one.psi],
        "KS, Bonferroni": [one.at for one in weeks if one.ks],
        "our warnings of inputs": [one.at for one in weeks if one.warned],
        "retrain": [one.at for one in drift.refits if one.cause == "drift"],
    }
    for place, (label, times) in enumerate(strips.items()):
        axis.plot(times, [-place] * len(times), marker="|", ls="", ms=9, color=_ALARM if label == "retrain" else _RAW)
    axis.set_yticks([-place for place in range(len(strips))], [f"{label}: {len(times)}" for label, times in strips.items()], fontsize=8)
    axis.set_ylim(-len(strips) + 0.5, 0.5)
    axis.set_xlabel(f"{len(weeks)} weeks", fontsize=8)
