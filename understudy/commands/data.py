"""ingest, snapshots, diff, check: the commands about data."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from contracts.snapshot import Snapshot


def _line(one: Snapshot) -> str:
    return f"{one.id}  {one.rows:>9} rows  {one.quarantined:>6} set aside  up to {one.watermark.isoformat()}"


@click.command()
@click.argument("pipeline")
@click.option("--until", type=click.DateTime(), help="Only rows whose label is known by then (UTC).")
@click.pass_obj
def ingest(options: Options, pipeline: str, until: datetime | None) -> None:
    """Make a snapshot of the source's new rows."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from flows.stages.ingest import ingest as run

    settings = read_settings(options.home, options.pipelines)
    result = run(settings, load_pipeline(settings, pipeline), None if until is None else until.replace(tzinfo=UTC))
    said = f"{result.new_rows} new rows, {result.quarantined} set aside." if result.new_rows else "Nothing new."
    show(result, [said, _line(result.snapshot)], as_json=options.as_json)


@click.command()
@click.argument("pipeline")
@click.pass_obj
def snapshots(options: Options, pipeline: str) -> None:
    """List the versions of the data, oldest first."""
    from adapters.data_repo import DataRepo
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings

    settings = read_settings(options.home, options.pipelines)
    load_pipeline(settings, pipeline)
    found = DataRepo(settings).snapshots(pipeline)
    lines = [_line(one) for one in found] or [f"No snapshot yet. Make one with: understudy ingest {pipeline}"]
    show(found, lines, as_json=options.as_json)


@click.command()
@click.argument("pipeline")
@click.argument("a")
@click.argument("b")
@click.pass_obj
def diff(options: Options, pipeline: str, a: str, b: str) -> None:
    """Say what changed from snapshot A to snapshot B."""
    from adapters.data_repo import DataRepo
    from adapters.settings import read_settings

    repo = DataRepo(read_settings(options.home, options.pipelines))
    first, second = repo.get(pipeline, a), repo.get(pipeline, b)
    before, after = {one.name for one in first.partitions}, {one.name for one in second.partitions}
    document = {
        "rows": second.rows - first.rows,
        "quarantined": second.quarantined - first.quarantined,
        "watermark": [first.watermark, second.watermark],
        "partitions_added": sorted(after - before),
        "partitions_removed": sorted(before - after),
        "columns_added": sorted(second.columns.keys() - first.columns.keys()),
        "columns_removed": sorted(first.columns.keys() - second.columns.keys()),
    }
    show(document, [f"{key}: {value}" for key, value in document.items() if value], as_json=options.as_json)


@click.command()
@click.argument("pipeline")
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_context
def check(ctx: click.Context, pipeline: str, file: Path | None) -> None:
    """Run the suite on FILE, or on the newest snapshot; exit 1 where it fails."""
    from adapters.data_repo import DataRepo
    from adapters.expectations import run_suite
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from adapters.sources.file import read_table
    from contracts.errors import UsageError
    from contracts.spec import TableFiles

    options: Options = ctx.obj
    settings = read_settings(options.home, options.pipelines)
    loaded = load_pipeline(settings, pipeline)
    if loaded.suite is None:
        raise UsageError(f"Pipeline '{pipeline}' has no suite.", f"Write {loaded.folder / loaded.spec.checks.suite}.")
    if file is not None:
        source = loaded.spec.source
        frame = read_table(file, source.delimiter if isinstance(source, TableFiles) else ",")
    else:
        repo = DataRepo(settings)
        newest = repo.newest(pipeline)
        if newest is None:
            raise UsageError(f"Pipeline '{pipeline}' has no snapshot to check.", f"Name a file, or run: understudy ingest {pipeline}")
        frame = repo.frame(newest)
    answer = run_suite(loaded.suite, frame, None)
    failed = [one for one in answer.results if not one.success]
    lines = [f"{answer.rows} rows, {len(answer.results)} expectations, {len(failed)} not met.", *(f"  {one.reason}" for one in failed)]
    show(answer, lines, as_json=options.as_json)
    ctx.exit(1 if failed else 0)
