"""The report of a backtest: the loss over time by policy as a picture, the table, and what was decided."""

from __future__ import annotations

import io
from bisect import bisect_right
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.duration import format_duration
from contracts.rollout import Act
from understudy.backtest.compare import Comparison
from understudy.backtest.cost import Cost
from understudy.backtest.table import choices, columns

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_COLOURS = ("#c2410c", "#0b7285", "#7048e8", "#2b8a3e", "#c2255c", "#1864ab", "#846358", "#44505c")
_INK = "#44505c"


def write_report(found: Comparison, target: Path) -> Path:
    """Write the page, which needs nothing from outside, and return its path."""
    from jinja2 import Environment, select_autoescape

    page = Environment(autoescape=select_autoescape(default_for_string=True)).from_string(_TEMPLATE.read_text(encoding="utf-8"))
    plots = {"loss_plot": loss_over_time(found), "cost_plot": loss_by_fits(found), "window_plot": window_over_time(found)}
    html = page.render(found=found, step=format_duration(found.step), columns=columns(found), choices=choices(found), **plots)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(html, encoding="utf-8")
    return target


def loss_over_time(found: Comparison) -> str:
    """Draw the mean loss of each step for each policy; marks stand where a new version took over."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, one in enumerate(found.costs):
        points = [point for point in one.over_time if point.loss is not None]
        style = ":" if one.budget_of else "--" if one.reference or one.fits == 1 else "-"
        colour = _COLOURS[number % len(_COLOURS)]
        times, values = [point.at for point in points], [float(point.loss or 0.0) for point in points]
        axes.plot(times, values, ls=style, lw=1.6, color=colour, label=_name(one), alpha=0.9)  # type: ignore[arg-type]  # matplotlib takes datetimes
        _mark(axes, one, times, values, colour)
    axes.set_ylabel(f"{found.loss}, mean by step")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper left")
    return _svg(figure)


def window_over_time(found: Comparison) -> str:
    """Draw which of several windows each policy's refits were fitted on; empty where there was no choice."""
    from matplotlib.figure import Figure

    chose = [one for one in found.costs if one.windows]
    if not chose:
        return ""
    names = list(dict.fromkeys(one.window for refit in chose[0].refits for one in refit.tried))
    figure = Figure(figsize=(9.5, 0.9 + 0.45 * len(names)), layout="constrained")
    axes = figure.subplots()
    for number, one in enumerate(chose):
        known = [refit for refit in one.refits if refit.window in names]
        shift = 0.12 * (number - (len(chose) - 1) / 2)
        places = [names.index(refit.window) + shift for refit in known]
        colour = _COLOURS[found.costs.index(one) % len(_COLOURS)]
        axes.plot([refit.at for refit in known], places, ".", ms=5, color=colour, label=_name(one))  # type: ignore[arg-type]  # matplotlib takes datetimes
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlim(found.start, found.until)  # type: ignore[arg-type]  # matplotlib takes datetimes
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return _svg(figure)


def loss_by_fits(found: Comparison) -> str:
    """Draw what the loss of each policy that refits cost in fits; a cross is a calendar with the fits of a drift policy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.0), layout="constrained")
    axes = figure.subplots()
    for number, one in enumerate(found.costs):
        if one.fits > 1:
            axes.scatter([one.fits], [one.loss], color=_COLOURS[number % len(_COLOURS)], s=40, marker="x" if one.budget_of else "o")
        if one.fits > 1 and one.budget_of is None:
            axes.annotate(one.policy, (one.fits, one.loss), xytext=(7, 5), textcoords="offset points", fontsize=8, color=_INK)
    axes.set_xlabel("fits")
    axes.set_ylabel(found.loss)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def _mark(axes: Any, one: Cost, times: list[datetime], values: list[float], colour: str) -> None:
    """Mark the steps during which a version took over; a roll-back is a cross."""
    for act, sign in ((Act.PROMOTE, "o"), (Act.ROLLBACK, "x")):
        moved = [taken.at for taken in one.decided if taken.act is act]
        places = [max(0, bisect_right(times, at) - 1) for at in moved if times]
        axes.plot([times[place] for place in places], [values[place] for place in places], sign, ms=4, color=colour, ls="")


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _name(one: Cost) -> str:
    return f"{one.policy}, as {one.budget_of}" if one.budget_of else one.policy
