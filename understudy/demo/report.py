"""Writes report.html and report.json from a story."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from understudy import pictures
from understudy.demo.story import Story

_TEMPLATE = Path(__file__).with_name("report.html.j2")


def promotions(story: Story) -> list[tuple[pd.Timestamp, str]]:
    """Return when which version took the stage, on the pipeline's clock."""
    moves = {"promote", "bootstrap", "rollback"}
    return [(pd.Timestamp(one.clock), one.version) for one in story.decisions[::-1] if one.act in moves and one.version]


def errors_over_time(story: Story, every: str) -> pd.DataFrame:
    """Average the served and the fitted-once loss over equal steps of time."""
    rows = pd.concat(story.served)
    return rows.set_index("event_time")[["served", "once"]].resample(every).mean().dropna()


def write_report(story: Story, home: Path, *, measure: str, every: str) -> Path:
    """Write both files and return the path of the page."""
    from jinja2 import Environment, select_autoescape

    errors = errors_over_time(story, every)
    page = Environment(autoescape=select_autoescape(default_for_string=True)).from_string(_TEMPLATE.read_text(encoding="utf-8"))
    html = page.render(
        story=story,
        error_plot=pictures.error_over_time(errors, promotions(story), measure),
        path_plots=[pictures.confidence_path(one) for one in story.paths],
        drift_plot=pictures.drift_by_feature(story.findings) if story.findings else "",
        measure=measure,
    )
    home.mkdir(parents=True, exist_ok=True)
    (home / "report.json").write_text(json.dumps(machine_report(story, errors), indent=2, default=str), encoding="utf-8")
    target = home / "report.html"
    target.write_text(html, encoding="utf-8")
    return target


def machine_report(story: Story, errors: pd.DataFrame) -> dict[str, Any]:
    """Return the report as data."""
    return {
        "pipeline": story.pipeline,
        **story.numbers,
        "timeline": [asdict(moment) for moment in story.moments],
        "decisions": [asdict(one) for one in story.decisions],
        "gates": {version: [asdict(one) for one in verdicts] for version, verdicts in story.gates.items()},
        "findings": story.findings,
        "errors": [
            {"at": str(at), "served": row.served, "once": row.once} for at, row in zip(errors.index, errors.itertuples(), strict=True)
        ],
        "links": story.links,
    }
