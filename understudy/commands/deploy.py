"""deploy: every pipeline's flows, on a Prefect server."""

from __future__ import annotations

import os

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.pass_obj
def deploy(options: Options) -> None:
    """Register the deployments of all pipelines on the server in PREFECT_API_URL; remove those of pipelines that are gone."""
    from adapters.settings import read_settings
    from contracts.errors import UsageError
    from flows.deploy import deploy as run

    settings = read_settings(options.home, options.pipelines)
    if settings.prefect_api_url is None:
        raise UsageError("No Prefect server is known.", "Start one with `understudy up`, or set PREFECT_API_URL.")
    os.environ.setdefault("PREFECT_API_URL", settings.prefect_api_url)  # Prefect's client reads it there
    done = run(settings)
    show(done, [f"{name}  {number}" for name, number in done.items()] or ["There is no pipeline to deploy."], as_json=options.as_json)
