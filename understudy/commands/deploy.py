"""deploy: every pipeline's flows, on a Prefect server."""

from __future__ import annotations

import os

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.option(
    "--pool", type=click.Choice(["process", "docker", "kubernetes"]), default="process", show_default=True, help="What does the runs."
)
@click.option("--image", help="Image of the containers, with --pool docker or kubernetes; the pool's own when not given.")
@click.pass_obj
def deploy(options: Options, pool: str, image: str | None) -> None:
    """Register the deployments of all pipelines on the server in PREFECT_API_URL; remove those of pipelines that are gone."""
    from adapters.settings import read_settings
    from contracts.errors import UsageError
    from flows.deploy import deploy as run

    settings = read_settings(options.home, options.pipelines)
    if image and pool == "process":
        raise UsageError("A process pool has no image.", "Add --pool docker or --pool kubernetes.")
    if settings.prefect_api_url is None:
        raise UsageError("No Prefect server is known.", "Start one with `understudy up`, or set PREFECT_API_URL.")
    os.environ.setdefault("PREFECT_API_URL", settings.prefect_api_url)  # Prefect's client reads it there
    if settings.prefect_auth:
        os.environ.setdefault("PREFECT_API_AUTH_STRING", settings.prefect_auth)
    done = run(settings, pool, image)
    show(done, [f"{name}  {number}" for name, number in done.items()] or ["There is no pipeline to deploy."], as_json=options.as_json)
