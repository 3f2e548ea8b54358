"""reproduce: a registered version, fitted again from its lineage alone."""

from __future__ import annotations

from dataclasses import fields

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.argument("version")
@click.option("--code", metavar="URL|PATH", help="Git repository of the recorded commit.  [default: the one here, then its origin]")
@click.option("--here", is_flag=True, envvar="UNDERSTUDY_REFIT_HERE", help="Refit with the running code, whatever was recorded.")
@click.option("--with-recorded-environment", "environment", is_flag=True, help="Build the recorded environment with uv; refit in it.")
@click.pass_context
def reproduce(  # what is typed
    ctx: click.Context, pipeline: str, version: str, code: str | None, *, here: bool, environment: bool
) -> None:
    """Refit VERSION from its lineage and compare bytes and answers; exit 1 where they differ.

    The data repository, the DVC remote and MLflow are all it needs; files of the pipeline come with the version. Where the recorded commit
    can be had and holds Understudy's own code, that code refits.
    """
    from adapters.settings import read_settings
    from flows.stages.refit_elsewhere import Wanted
    from flows.stages.reproduce import reproduce as run

    options: Options = ctx.obj
    settings, wanted = read_settings(options.home, options.pipelines), Wanted(code, here, environment)
    found = run(settings, pipeline, version, lambda said: click.echo(said, err=True), wanted)
    if found.same:
        head = f"Version {version} of '{pipeline}' is reproduced: the refit has the same digest {found.refitted[:12]}."
    else:
        head = f"Version {version} of '{pipeline}' is NOT reproduced: registered {found.recorded[:12]}, refitted {found.refitted[:12]}."
    answers = f"{found.predictions}." if found.predictions else "No predictions were recorded with this version."
    document = {"same": found.same, **{one.name: getattr(found, one.name) for one in fields(found)}}
    show(document, [head, f"  {answers}", f"  {found.code}", *(f"  {one}" for one in found.differs)], as_json=options.as_json)
    ctx.exit(0 if found.same else 1)
