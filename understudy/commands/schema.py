"""schema: pipeline.yaml for editors."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of pipeline.yaml."""
    from understudy.schema import pipeline_schema

    click.echo(json.dumps(pipeline_schema(), indent=2))
