"""Pictures of reports and decisions, drawn as SVG that needs nothing from outside."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from contracts.confidence import ConfidenceSteps

INK, SERVED, ONCE, GOOD, BAD = "#44505c", "#0b7285", "#c2410c", "#2b8a3e", "#c92a2a"
_LABEL = 0.035  # of the picture's width: what a version's label takes


def _axes(width: float = 9.0, height: float = 3.4) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    for item in [*axes.spines.values()]:
        item.set_color(INK)
    return figure, axes


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def error_over_time(errors: pd.DataFrame, promotions: list[tuple[pd.Timestamp, str]], measure: str) -> str:
    """Draw the served error beside "fitted once".

    Args:
        errors: indexed by time, columns `served` and `once`.
        promotions: when which version took the stage, on the pipeline's clock.
        measure: what the error is, for the axis.
    """
    figure, axes = _axes()
    axes.plot(errors.index, errors["once"], color=ONCE, lw=1.6, label="fitted once")
    axes.plot(errors.index, errors["served"], color=SERVED, lw=2.0, label="served by Understudy")
    for (at, version), line in zip(
        promotions, label_lines([at for at, _ in promotions], errors.index.max() - errors.index.min()), strict=True
    ):
        axes.axvline(at, color=INK, lw=0.7, alpha=0.45)
        axes.annotate(
            f"v{version}",
            (at, 1),
            (-2, 2 + 8 * line),
            ("data", "axes fraction"),
            "offset points",
            fontsize=7,
            color=INK,
            annotation_clip=False,
        )
    axes.set_ylabel(measure)
    axes.legend(frameon=False, loc="upper left", fontsize=9)
    return _svg(figure)


def label_lines(times: list[pd.Timestamp], span: pd.Timedelta) -> list[int]:
    """Return on which line above the picture each label stands, so that none covers another on its line."""
    ends: list[pd.Timestamp] = []
    found = []
    for at in times:
        line = next((number for number, end in enumerate(ends) if end <= at), len(ends))
        ends[line:] = [at + span * _LABEL, *ends[line + 1 :]]
        found.append(line)
    return found


def confidence_path(path: ConfidenceSteps) -> str:
    """Draw a confidence sequence of the paired loss difference against its margin."""
    figure, axes = _axes(height=2.8)
    promoted = bool(path.lower) and path.lower[-1] > -path.margin
    colour = GOOD if promoted else BAD if path.upper and path.upper[-1] < -path.margin else INK
    axes.fill_between(path.blocks, path.lower, path.upper, color=colour, alpha=0.18, lw=0)
    axes.plot(path.blocks, path.mean, color=colour, lw=1.8)
    axes.axhline(-path.margin, color=INK, lw=1, ls="--")
    finite = [abs(value) for value in path.mean]
    span = 4 * max([*finite, 1e-9])
    axes.set_ylim(-span, span)
    axes.set_xlabel(path.counted)
    axes.set_ylabel(path.measured)
    axes.set_title(f"version {path.version}", loc="left", fontsize=10, color=INK)
    return _svg(figure)


def drift_by_feature(findings: list[dict[str, Any]]) -> str:
    """Draw the effect size that the monitor saw, per column, against the size worth a word."""
    drifts = [one for one in findings if one["observed"] is not None and str(one["monitor"]).endswith("drift")]
    rows = sorted(drifts, key=lambda one: float(one["observed"]))
    figure, axes = _axes(height=max(1.4, 0.32 * len(rows) + 0.8))
    colours = [BAD if one["severity"] == "retrain" else ONCE if one["severity"] == "warn" else SERVED for one in rows]
    axes.barh([f"{one['monitor']}: {one['subject']}" for one in rows], [float(one["observed"]) for one in rows], color=colours)
    axes.grid(visible=False)
    axes.set_xlabel("effect size")
    return _svg(figure)
