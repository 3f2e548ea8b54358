"""backtest: policies over the pipeline's own history, in simulated time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.option("--policy", "policies", multiple=True, help="never, every:7d, drift, drift+every:28d or oracle; may be repeated.")
@click.option("--set", "changes", multiple=True, help="KEY=VALUE of pipeline.yaml for all rows, such as rollout.stages.0.margin=5.")
@click.option("--variant", "variants", multiple=True, help="NAME:KEY=VALUE,... : a row of its own beside each policy; may be repeated.")
@click.option("--from", "start", type=click.DateTime(), help="When the walk begins (UTC); what is older is history for the first model.")
@click.option("--until", type=click.DateTime(), help="When it ends (UTC); the newest row when not given.")
@click.option("--step", default="7d", show_default=True, help="How often a policy is asked whether to refit.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write an HTML report to this file.")
@click.pass_obj
def backtest(
    options: Options,
    pipeline: str,
    policies: tuple[str, ...],
    changes: tuple[str, ...],
    variants: tuple[str, ...],
    start: datetime | None,
    until: datetime | None,
    step: str,
    report: Path | None,
) -> None:
    """Walk policies over the pipeline's own history; without --policy: never, every:28d, drift, drift+every:28d."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from adapters.sources import read_new_rows
    from contracts.duration import parse_duration
    from understudy.backtest.compare import calendar_of, compare_policies
    from understudy.backtest.policies import DEFAULT, parse_policy
    from understudy.backtest.table import table
    from understudy.backtest.variants import parse_change, parse_variant, varied
    from understudy.backtest.world import World

    try:
        width = parse_duration(step)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--step") from error
    if not width:
        raise click.BadParameter("a step takes some time", param_hint="--step")
    asked = policies or DEFAULT
    for name in asked:
        parse_policy(name, width)  # a mistake is found before anything is read
    loaded = load_pipeline(read_settings(options.home, options.pipelines), pipeline)
    loaded = varied(loaded, [parse_change(one) for one in changes])
    others = [parse_variant(one) for one in variants]
    for one in others:
        varied(loaded, one.changes)
    begin, end = (None if at is None else at.replace(tzinfo=UTC) for at in (start, until))
    history = read_new_rows(loaded.spec, None, end)
    world = World(loaded, history)
    found = compare_policies(world, asked, calendar_of(history, world, begin, end, width), _tell, others)
    lines = table(found)
    if report is not None:
        from understudy.backtest.report import write_report

        write_report(found, report)
        lines.append(f"Report: {report}")
    show(found, lines, as_json=options.as_json)


def _tell(policy: str, done: int, of: int) -> None:
    """Say on stderr how far a policy is, ten times on its way."""
    if done == of or done * 10 // of > (done - 1) * 10 // of:
        click.echo(f"{policy}: {done} of {of} steps", err=True)
