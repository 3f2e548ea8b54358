"""score: batch inference with the champion or a version."""

from __future__ import annotations

from pathlib import Path

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.option(
    "--input", "source", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="CSV, JSON Lines or Parquet."
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Parquet file; replaced when it is there.")
@click.option("--version", help="The champion when not given.")
@click.option("--rows-per-group", type=click.IntRange(1), default=65_536, show_default=True, help="Rows answered and held at once.")
@click.pass_context
def score(ctx: click.Context, pipeline: str, source: Path, output: Path, version: str | None, rows_per_group: int) -> None:
    """Answer every row of a file; version, digest and snapshot stand in the output's metadata."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from adapters.table_stream import count_rows
    from flows.score import score as run

    options: Options = ctx.obj
    settings = read_settings(options.home, options.pipelines)
    loaded = load_pipeline(settings, pipeline)
    shown = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rows", total=count_rows(source))
        done = run(settings, loaded, source, output, version, rows_per_group, lambda rows: progress.update(task, completed=rows))
    head = (
        f"{done.rows} rows answered by version {done.version} of '{pipeline}' ({done.digest[:12]}, snapshot {done.snapshot}): {done.output}"
    )
    show(done, [head], as_json=options.as_json)
