"""history and explain: the decisions, and one of them with its numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from contracts.errors import UsageError
from understudy.commands.output import plain, show
from understudy.main import Options

if TYPE_CHECKING:
    from adapters.ledger import Ledger
    from contracts.confidence import ConfidenceSteps
    from contracts.rollout import DecisionRecord
    from contracts.verdict import Verdict
    from flows.stages.recompute import Recomputed


def open_ledger(options: Options, pipeline: str) -> Ledger:
    """Return the ledger, after checking that the pipeline exists."""
    from adapters.ledger import Ledger
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings

    settings = read_settings(options.home, options.pipelines)
    load_pipeline(settings, pipeline)
    settings.home.mkdir(parents=True, exist_ok=True)
    return Ledger(settings.ledger_url)


def verdict_line(one: Verdict) -> str:
    """Return a verdict as one line."""
    return f"  {one.outcome.name:<12} {one.gate}: {one.reason}"


@click.command()
@click.argument("pipeline")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Also write them as a page: evidence, limits, plots, states, actors."
)
@click.pass_obj
def history(options: Options, pipeline: str, limit: int, report: Path | None) -> None:
    """List the decisions, newest first."""
    ledger = open_ledger(options, pipeline)
    records = ledger.decisions(pipeline, limit=limit)
    lines = [
        f"{one.id:>5}  {one.at:%Y-%m-%d %H:%M:%S}  {one.act.value:<10} {one.version or '-':>4}  {one.actor:<12}  {one.reason}"
        for one in records
    ]
    show(records, lines or ["No decision yet."], as_json=options.as_json)
    if report is not None:
        _write_report(options, ledger, pipeline, limit, report)


@click.command()
@click.argument("pipeline")
@click.argument("decision", type=int)
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write the confidence sequence behind it, as SVG.")
@click.option("--recompute", is_flag=True, help="Compute its numbers again from the traffic log; exit 1 where they differ.")
@click.pass_context
def explain(ctx: click.Context, pipeline: str, decision: int, plot: Path | None, recompute: bool) -> None:
    """Show one decision with its numbers and limits, the state before and after, and who made it."""
    options: Options = ctx.obj
    ledger = open_ledger(options, pipeline)
    try:
        one = ledger.decision(pipeline, decision)
    except KeyError:
        raise UsageError(f"Pipeline '{pipeline}' has no decision {decision}.", f"See: understudy history {pipeline}") from None
    before = _before(ledger, one)
    again = _again(options, one) if recompute else None
    document = {**plain(one), "before": None if before is None else {"phase": before.phase, "epoch": before.epoch}}
    lines = _told(one, before)
    if again is not None:
        document["recomputed"] = again
        lines += ["", *_compared(again)]
    show(document, lines, as_json=options.as_json)
    if plot is not None:
        _write_plot(options, ledger, one, plot)
    ctx.exit(1 if again is not None and again.differs else 0)


def _before(ledger: Ledger, one: DecisionRecord) -> DecisionRecord | None:
    earlier = (other for other in ledger.decisions(one.pipeline, limit=1_000_000) if other.revision < one.revision)
    return next(earlier, None)


def _again(options: Options, one: DecisionRecord) -> Recomputed:
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from flows.stages.recompute import recompute

    settings = read_settings(options.home, options.pipelines)
    found = recompute(settings, load_pipeline(settings, one.pipeline), one)
    if found is None:
        raise UsageError(f"Decision {one.id} of '{one.pipeline}' rests on no live evidence: there is nothing to compute again.")
    return found


def _compared(again: Recomputed) -> list[str]:
    beside = (f"  {name}: {value:.4g}" for name, value in again.beside.items())
    said = ["computed again from the traffic log as it was then:", *_table(again.verdicts), *beside]
    if not again.differs:
        return [*said, "the log gives the same numbers"]
    return [*said, "THE LOG GIVES OTHER NUMBERS:", *(f"  {one}" for one in again.differs)]


def _told(one: DecisionRecord, before: DecisionRecord | None) -> list[str]:
    version = f", version {one.version}" if one.version else ""
    head = [
        f"decision {one.id} of {one.pipeline}: {one.act.value}{version}",
        one.reason,
        f"by {one.actor} at {one.at:%Y-%m-%d %H:%M:%S} UTC; on the pipeline's clock {one.clock:%Y-%m-%d %H:%M:%S} UTC",
        f"before: phase {before.phase.value}, epoch {before.epoch}" if before else "before: nothing, this was the first",
        f"afterwards: phase {one.phase.value}, epoch {one.epoch}, revision {one.revision}",
    ]
    if not one.verdicts:
        return [*head, "no evidence was asked for"]
    return [*head, "", *_table(one.verdicts), "", *(verdict_line(verdict) for verdict in one.verdicts)]


def _table(verdicts: tuple[Verdict, ...]) -> list[str]:
    rows = [("gate", "outcome", "observed", "lower", "upper", "limit", "samples")]
    for one in verdicts:
        numbers = ("-" if value is None else f"{value:.4g}" for value in (one.observed, one.lower, one.upper, one.limit))
        rows.append((one.gate, one.outcome.name, *numbers, str(one.samples)))  # type: ignore[arg-type]  # four numbers make seven cells
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _write_plot(options: Options, ledger: Ledger, one: DecisionRecord, target: Path) -> None:
    from understudy import pictures

    steps = _steps_by(options, ledger, one.pipeline)(one)
    if steps is None:
        raise UsageError(f"Decision {one.id} of '{one.pipeline}' was made on no paired loss: there is nothing to plot.")
    target.write_text(pictures.confidence_path(steps), encoding="utf-8")
    click.echo(f"{target} shows version {steps.version} after each of {steps.blocks[-1] if steps.blocks else 0} blocks.", err=True)


def _write_report(options: Options, ledger: Ledger, pipeline: str, limit: int, target: Path) -> None:
    from understudy import pictures
    from understudy.history.report import entries, write_history

    steps_behind = _steps_by(options, ledger, pipeline)

    def plot(one: DecisionRecord) -> str:
        steps = steps_behind(one)
        return pictures.confidence_path(steps) if steps is not None and steps.blocks else ""

    records = ledger.decisions(pipeline, limit=limit + 1)
    with click.progressbar(entries(records, limit, plot), length=min(limit, len(records)), label="drawing", file=sys.stderr) as bar:
        found = list(bar)
    write_history(pipeline, found, target)
    click.echo(f"{target} shows {len(found)} decisions.", err=True)


def _steps_by(options: Options, ledger: Ledger, name: str) -> Callable[[DecisionRecord], ConfidenceSteps | None]:
    """Return what computes the confidence sequence behind a decision of a pipeline."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from flows.stages.recall import confidence_path

    settings = read_settings(options.home, options.pipelines)
    pipeline = load_pipeline(settings, name)
    return lambda one: confidence_path(settings, pipeline, ledger, one)
