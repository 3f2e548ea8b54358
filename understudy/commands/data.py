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
@click.option(
    "--aside", type=click.Path(path_type=Path, dir_okay=False), help="Write the failing rows of a Parquet FILE there, with reasons."
)
@click.pass_context
def check(ctx: click.Context, pipeline: str, file: Path | None, aside: Path | None) -> None:
    """Run the suite on FILE, or on the newest snapshot; exit 1 where it fails."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from contracts.errors import UsageError
    from flows.stages.check import check_file, check_snapshot, keep_failing

    options: Options = ctx.obj
    settings = read_settings(options.home, options.pipelines)
    loaded = load_pipeline(settings, pipeline)
    if aside is not None and (file is None or file.suffix not in (".parquet", ".pq")):
        raise UsageError("--aside needs a Parquet FILE.", "Name one.")
    answer = check_snapshot(settings, loaded) if file is None else check_file(loaded, file)
    failed = [one for one in answer.results if not one.success]
    lines = [f"{answer.rows} rows, {len(answer.results)} expectations, {len(failed)} not met.", *(f"  {one.reason}" for one in failed)]
    if file is not None and aside is not None:
        lines.append(f"{keep_failing(loaded, file, answer, aside)} failing rows are in {aside}.")
    show(answer, lines, as_json=options.as_json)
    ctx.exit(1 if failed else 0)
