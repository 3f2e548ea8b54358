"""Writes the decisions of a pipeline as a page that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.rollout import DecisionRecord

_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision with what stands beside it.

    Attributes:
        before: the decision that made the state it was taken in; None for the first.
        plot: the confidence sequence behind it, as SVG; empty where there is none.
    """

    decision: DecisionRecord
    before: DecisionRecord | None
    plot: str


def entries(records: Sequence[DecisionRecord], limit: int, plot: Callable[[DecisionRecord], str]) -> Iterator[Entry]:
    """Yield the newest decisions, each with the one before it.

    Args:
        records: all decisions, newest first.
        plot: draws what is behind a decision that rests on evidence.
    """
    shown = records[:limit]
    earlier = [*records[1:], None][: len(shown)]
    for one, before in zip(shown, earlier, strict=True):
        yield Entry(one, before, plot(one) if one.verdicts else "")


def write_history(pipeline: str, found: Sequence[Entry], target: Path) -> None:
    """Write the page."""
    from jinja2 import Environment, select_autoescape

    page = Environment(autoescape=select_autoescape(default_for_string=True)).from_string(_TEMPLATE.read_text(encoding="utf-8"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page.render(pipeline=pipeline, entries=found), encoding="utf-8")
