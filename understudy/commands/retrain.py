"""retrain: fresh data, a fit, gates, a version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.option("--snapshot", help="Fit on this snapshot instead of reading new rows.")
@click.option("--until", type=click.DateTime(), help="Only rows whose label is known by then (UTC).")
@click.option("--reason", default="asked for on the command line", show_default=True, help="Why; recorded with the version.")
@click.option("--window", help="Fit on so much history, such as 90d, 12w or all, instead of the spec's train.window.")
@click.option("--force", is_flag=True, help="Fit even where the same data, spec and code are registered already.")
@click.option("--dry-run", is_flag=True, help="Everything up to the offline gates; nothing is registered, nothing submitted.")
@click.option("--wait", is_flag=True, help="Wait for the run to end; exit 1 where a gate was not met.")
@click.option("--local", is_flag=True, help="Run it in this process, without a Prefect server.")
@click.pass_context
def retrain(ctx: click.Context, /, pipeline: str, *, wait: bool, local: bool, **asked: Any) -> None:
    """Run the retrain flow: through Prefect, or in this process with --local."""
    until: datetime | None = asked.pop("until")
    wish = _Wish(until=None if until is None else until.replace(tzinfo=UTC), **asked)
    options: Options = ctx.obj
    ctx.exit(_local(options, pipeline, wish) if local else _through_prefect(options, pipeline, wish, wait=wait))


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for on the command line."""

    snapshot: str | None
    until: datetime | None
    reason: str
    window: str | None
    force: bool
    dry_run: bool


def _through_prefect(options: Options, name: str, wish: _Wish, *, wait: bool) -> int:
    """Start the deployed flow, follow it where that is asked for, and return the exit code."""
    from adapters.pipeline_files import load_pipeline, with_window
    from adapters.settings import read_settings
    from understudy import runs

    settings = read_settings(options.home, options.pipelines)
    with_window(load_pipeline(settings, name), wish.window)
    with runs.open_prefect(settings) as api:
        run = runs.start(api, "retrain", name, _parameters(wish))
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


_EXIT = {"Completed": 0, "DryRun": 0, "GatesNotMet": 1}


def _parameters(wish: _Wish) -> dict[str, Any]:
    import getpass

    until = wish.until.isoformat() if wish.until else None
    return {**asdict(wish), "until": until, "window": wish.window or "", "cause": "operator", "actor": getpass.getuser()}


def _local(options: Options, name: str, wish: _Wish) -> int:
    """Run every stage in this process and return the exit code."""
    import getpass

    from adapters.pipeline_files import load_pipeline, with_window
    from adapters.settings import read_settings
    from contracts.events import Cause, Trigger
    from flows.stages.gate import all_passed
    from flows.stages.retrain import dry_run_local, retrain_local

    settings = read_settings(options.home, options.pipelines)
    loaded = with_window(load_pipeline(settings, name), wish.window)
    trigger = Trigger(Cause.OPERATOR, wish.reason, getpass.getuser())
    if wish.dry_run:
        dry = dry_run_local(settings, loaded, trigger, snapshot=wish.snapshot, until=wish.until, tell=_tell)
        met = "every offline gate was met" if all_passed(dry.verdicts) else "an offline gate was not met"
        show(dry, [f"A dry run: {met}. Nothing was registered and nothing submitted."], as_json=options.as_json)
        return 0 if all_passed(dry.verdicts) else 1
    done = retrain_local(settings, loaded, trigger, snapshot=wish.snapshot, until=wish.until, force=wish.force, tell=_tell)
    asks = "asks to become champion" if done.submitted else "is not submitted: a gate was not met"
    show(done, [f"Version {done.model.version} {asks}."], as_json=options.as_json)
    return 0 if all_passed(done.verdicts) else 1


def _tell(said: str) -> None:
    click.echo(said, err=True)
