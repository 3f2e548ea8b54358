"""reproduce: a registered version, fitted again from its lineage alone."""

from __future__ import annotations

from dataclasses import fields

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.argument("version")
@click.pass_context
def reproduce(ctx: click.Context, pipeline: str, version: str) -> None:
    """Refit VERSION from its lineage and compare bytes and answers; exit 1 where they differ.

    The data repository, the DVC remote and MLflow are all it needs; files of the pipeline come with the version.
    """
    from adapters.settings import read_settings
    from flows.stages.reproduce import reproduce as run

    options: Options = ctx.obj
    found = run(read_settings(options.home, options.pipelines), pipeline, version, lambda said: click.echo(said, err=True))
    if found.same:
        head = f"Version {version} of '{pipeline}' is reproduced: the refit has the same digest {found.refitted[:12]}."
    else:
        head = f"Version {version} of '{pipeline}' is NOT reproduced: registered {found.recorded[:12]}, refitted {found.refitted[:12]}."
    answers = f"{found.predictions}." if found.predictions else "No predictions were recorded with this version."
    document = {"same": found.same, **{one.name: getattr(found, one.name) for one in fields(found)}}
    show(document, [head, f"  {answers}", *(f"  {one}" for one in found.differs)], as_json=options.as_json)
    ctx.exit(0 if found.same else 1)
