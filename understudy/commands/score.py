"""score: batch inference with the champion or a version."""

from __future__ import annotations

from pathlib import Path

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.option(
    "--input", "sources", multiple=True, required=True, help="A file, a folder or a 'pattern' of CSV, JSON Lines, Parquet; may be repeated."
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="A .parquet or .csv file, or a folder of parts.")
@click.option("--version", help="The champion when not given; of a run that was begun, who began it.")
@click.option("--rows-per-group", type=click.IntRange(1), default=65_536, show_default=True, help="Rows answered and held at once.")
@click.option("--rows-per-part", type=click.IntRange(1), default=1_000_000, show_default=True, help="What a killed run can lose.")
@click.pass_context
def score(
    ctx: click.Context, pipeline: str, sources: tuple[str, ...], output: Path, version: str | None, rows_per_group: int, rows_per_part: int
) -> None:
    """Answer every row of files; version, digest and snapshot stand in the output's metadata. Run it again after a kill: it goes on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from flows.score import Sizes
    from flows.score import score as run

    options: Options = ctx.obj
    settings = read_settings(options.home, options.pipelines)
    loaded = load_pipeline(settings, pipeline)
    shown = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rows", total=_total(sources))
        sizes = Sizes(rows_per_group, rows_per_part)
        done = run(settings, loaded, sources, output, version, sizes, lambda rows: progress.update(task, completed=rows))
    kept = f", {done.kept} of them before" if done.kept else ""
    head = (
        f"{done.rows} rows answered{kept} by version {done.version} of '{pipeline}' "
        f"({done.digest[:12]}, snapshot {done.snapshot}): {done.output}"
    )
    show(done, [head], as_json=options.as_json)


def _total(sources: tuple[str, ...]) -> int | None:
    """Return how many rows there are, where every file says so."""
    from adapters.table_stream import count_rows
    from flows.scoring.plan import find_inputs

    counts = [count_rows(one) for one in find_inputs(sources)]
    return None if None in counts else sum(filter(None, counts))
