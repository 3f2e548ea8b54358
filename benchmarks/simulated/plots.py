"""The plots of benchmarks/decisions: coverage with the line of alpha, power curves, and one confidence sequence as it grew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.frame import Row
from benchmarks.simulated.looks import blocked, rules
from benchmarks.simulated.worlds import BLOCK, independent
from rollout.paired import path_of

_OURS, _PEER, _LINE = "#1f6f8b", "#b8b8b8", "#b03a2e"


def coverage(rows: Sequence[Row], alpha: float, path: Path) -> None:
    """Draw how often anything was decided where there is no difference: ours, a t-test at every look, and alpha."""
    figure, axes = _figure(path, (8, 0.5 + 0.42 * len(rows)))
    places = np.arange(len(rows))
    axes.barh(places - 0.2, [row.ours for row in rows], 0.38, color=_OURS, label="Understudy")
    axes.barh(places + 0.2, [row.peer or 0.0 for row in rows], 0.38, color=_PEER, label="t-test at every look")
    axes.axvline(alpha, color=_LINE, linestyle="--", linewidth=1, label=f"alpha = {alpha:g}")
    axes.set_yticks(places, [row.what.removeprefix("no difference, ").split(":")[0] for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("share of rollouts without a difference that were ever decided", fontsize=8)
    axes.legend(fontsize=7, frameon=False)
    _save(figure, path)


def power(curves: dict[str, list[tuple[float, float]]], name: str, path: Path) -> None:
    """Draw median requests to promote against the relative improvement, one line for each way."""
    figure, axes = _figure(path, (6, 4))
    for (way, points), colour in zip(curves.items(), (_OURS, "#d08c2e", _PEER), strict=True):
        axes.plot([100 * better for better, _ in points], [requests for _, requests in points], "o-", color=colour, label=way)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 2, 5, 10], ["1 %", "2 %", "5 %", "10 %"])
    axes.minorticks_off()
    axes.set_xlabel("how much better the candidate is", fontsize=8)
    axes.set_ylabel("median requests to promote", fontsize=8)
    axes.set_title(name, fontsize=9)
    axes.legend(fontsize=7, frameon=False)
    _save(figure, path)


def sequence(path: Path) -> None:
    """Draw one confidence sequence: a candidate 5 % better, judged after every hundred requests, until it is promoted and beyond."""
    given = rules()
    stream = independent(np.random.default_rng(4), (1, 8_000), -0.05 * float(np.sqrt(2 / np.pi)))
    found = path_of(blocked(stream.differences, BLOCK), given.alpha, given, "regression")
    mean, lower, upper = (part[0, given.min_blocks - 1 :] for part in (found.mean, found.lower, found.upper))
    blocks = np.arange(given.min_blocks, given.min_blocks + len(mean))
    figure, axes = _figure(path, (7, 3.2))
    axes.fill_between(blocks, lower, upper, color=_OURS, alpha=0.2, linewidth=0)
    axes.plot(blocks, mean, color=_OURS, linewidth=1.2)
    axes.axhline(0.0, color="black", linewidth=0.8)
    promoted = np.flatnonzero(lower > 0)
    if len(promoted):
        axes.axvline(blocks[promoted[0]], color=_LINE, linestyle="--", linewidth=1, label=f"promoted after block {blocks[promoted[0]]}")
        axes.legend(fontsize=7, frameon=False)
    axes.set_xlabel("complete blocks of 100 requests", fontsize=8)
    axes.set_ylabel("gain per request", fontsize=8)
    _save(figure, path)


def _figure(path: Path, size: tuple[float, float]) -> tuple[Any, Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = path.stem  # the same numbers give the same file
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
