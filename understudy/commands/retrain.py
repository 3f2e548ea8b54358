"""retrain: fresh data, a fit, gates, a version."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.option("--snapshot", help="Fit on this snapshot instead of reading new rows.")
@click.option("--until", type=click.DateTime(), help="Only rows whose label is known by then (UTC).")
@click.option("--reason", default="asked for on the command line", show_default=True, help="Why; recorded with the version.")
@click.option("--force", is_flag=True, help="Fit even where the same data, spec and code are registered already.")
@click.option("--wait", is_flag=True, help="Wait for the run to end; exit 1 where a gate was not met.")
@click.option("--local", is_flag=True, help="Run it in this process, without a Prefect server.")
@click.pass_context
def retrain(
    ctx: click.Context, pipeline: str, snapshot: str | None, until: datetime | None, reason: str, force: bool, wait: bool, local: bool
) -> None:
    """Run the retrain flow: through Prefect, or in this process with --local."""
    options: Options = ctx.obj
    known_by = None if until is None else until.replace(tzinfo=UTC)
    if local:
        ctx.exit(_local(options, pipeline, snapshot, known_by, reason, force=force))
    ctx.exit(_through_prefect(options, pipeline, snapshot, known_by, reason, force=force, wait=wait))


def _through_prefect(
    options: Options, name: str, snapshot: str | None, until: datetime | None, reason: str, *, force: bool, wait: bool
) -> int:
    """Start the deployed flow, follow it where that is asked for, and return the exit code."""
    import getpass

    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from understudy import runs

    settings = read_settings(options.home, options.pipelines)
    load_pipeline(settings, name)
    parameters = {
        "reason": reason,
        "cause": "operator",
        "actor": getpass.getuser(),
        "snapshot": snapshot,
        "until": until.isoformat() if until else None,
        "force": force,
    }
    with runs.open_prefect(settings) as api:
        run = runs.start(api, "retrain", name, parameters)
        if not wait:
            show({"flow_run": run.id, "url": run.url}, [f"Started: {run.url}"], as_json=options.as_json)
            return 0
        click.echo(run.url, err=True)
        ended = runs.wait(api, run, tell=lambda state: click.echo(state, err=True))
    show(
        {"flow_run": run.id, "url": run.url, "state": ended.name, "message": ended.message},
        [ended.message or ended.name],
        as_json=options.as_json,
    )
    return _EXIT.get(ended.name, 3)


_EXIT = {"Completed": 0, "GatesNotMet": 1}


def _local(options: Options, name: str, snapshot: str | None, until: datetime | None, reason: str, *, force: bool) -> int:
    """Run every stage in this process and return the exit code."""
    import getpass

    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from contracts.events import Cause, Trigger
    from flows.stages.gate import all_passed
    from flows.stages.retrain import retrain_local

    settings = read_settings(options.home, options.pipelines)
    loaded = load_pipeline(settings, name)
    trigger = Trigger(Cause.OPERATOR, reason, getpass.getuser())
    done = retrain_local(
        settings, loaded, trigger, snapshot=snapshot, until=until, force=force, tell=lambda said: click.echo(said, err=True)
    )
    asks = "asks to become champion" if done.submitted else "is not submitted: a gate was not met"
    show(done, [f"Version {done.model.version} {asks}."], as_json=options.as_json)
    return 0 if all_passed(done.verdicts) else 1
