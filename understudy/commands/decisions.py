"""history and explain: the decisions, and one of them with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from adapters.ledger import Ledger
    from contracts.verdict import Verdict


def open_ledger(options: Options, pipeline: str) -> Ledger:
    """Return the ledger, migrated, after checking that the pipeline exists."""
    from adapters.ledger import Ledger
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings

    settings = read_settings(options.home, options.pipelines)
    load_pipeline(settings, pipeline)
    settings.home.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(settings.ledger_url)
    ledger.migrate()
    return ledger


def verdict_line(one: Verdict) -> str:
    """Return a verdict as one line."""
    return f"  {one.outcome.name:<12} {one.gate}: {one.reason}"


@click.command()
@click.argument("pipeline")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.pass_obj
def history(options: Options, pipeline: str, limit: int) -> None:
    """List the decisions, newest first."""
    records = open_ledger(options, pipeline).decisions(pipeline, limit=limit)
    lines = [f"{one.id:>5}  {one.at:%Y-%m-%d %H:%M:%S}  {one.act.value:<10} {one.version or '-':>4}  {one.reason}" for one in records]
    show(records, lines or ["No decision yet."], as_json=options.as_json)


@click.command()
@click.argument("pipeline")
@click.argument("decision", type=int)
@click.pass_obj
def explain(options: Options, pipeline: str, decision: int) -> None:
    """Show one decision with its numbers and limits."""
    one = open_ledger(options, pipeline).decision(pipeline, decision)
    head = [f"{one.act.value}, version {one.version or '-'}, by {one.actor} at {one.at.isoformat()}", one.reason]
    show(one, [*head, *(verdict_line(verdict) for verdict in one.verdicts)], as_json=options.as_json)
