"""schema: pipeline.yaml for editors."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of pipeline.yaml."""
    from contracts.spec import PipelineSpec

    click.echo(json.dumps(PipelineSpec.model_json_schema(), indent=2))
