"""A comparison as lines of text, and as the columns that the report has too."""

from __future__ import annotations

from collections.abc import Callable

from contracts.duration import format_duration
from understudy.backtest.compare import Comparison
from understudy.backtest.cost import IN_STEP, Cost

_METRICS = ("log_loss", "auc", IN_STEP)  # of the task, where they are measured and are not the loss itself


def columns(found: Comparison) -> list[tuple[str, Callable[[Cost], str]]]:
    """Return the columns of the table by their heads: what each shows of a row."""
    shown: list[tuple[str, Callable[[Cost], str]]] = [
        ("policy", lambda one: f"{one.policy} (as many as {one.budget_of})" if one.budget_of else one.policy),
        (found.loss, lambda one: f"{one.loss:.4g}"),
        ("to never", lambda one: f"{one.relative:.2f}"),
    ]
    shown += [(name, _metric(name)) for name in _METRICS if name != found.loss and name in found.costs[0].metrics]
    if any(one.base_rate is not None for one in found.costs):
        shown.append(("base rate", lambda one: "" if one.base_rate is None else f"{one.base_rate:.0%}"))
    return [
        *shown,
        ("fits", lambda one: str(one.fits)),
        ("seconds", lambda one: f"{one.seconds:.1f}"),
        ("promoted", lambda one: str(one.promotions)),
        ("rejected", lambda one: str(one.rejections)),
        ("rolled back", lambda one: str(one.rollbacks)),
    ]


def table(found: Comparison) -> list[str]:
    """Return the table as lines of text."""
    parts = columns(found)
    lines = [tuple(head for head, _ in parts), *(tuple(show(one) for _, show in parts) for one in found.costs)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(parts))]
    span = f"{found.start:%Y-%m-%d} to {found.until:%Y-%m-%d} in steps of {format_duration(found.step)}"
    head = f"{found.pipeline}: {found.rows} rows, {span}; {found.fits} different fits"
    return [head, *(_line(line, widths) for line in lines), *choices(found), "", found.recommendation]


def choices(found: Comparison) -> list[str]:
    """Return for each policy with several windows how often each was chosen."""
    said = []
    for one in found.costs:
        if one.windows:
            counts = ", ".join(f"{window} {count} times" for window, count in one.windows.items())
            said.append(f"windows of {one.policy}: {counts}")
    return ["", *said] if said else []


def _metric(name: str) -> Callable[[Cost], str]:
    return lambda one: f"{one.metrics[name]:.4g}" if name in one.metrics else ""


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """The first to the left, the others to the right."""
    return "  ".join([cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))])
