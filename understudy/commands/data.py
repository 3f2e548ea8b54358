"""ingest, snapshots, diff, check: the commands about data."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from understudy.commands.output import plain, show
from understudy.main import Options

if TYPE_CHECKING:
    from adapters.settings import Settings
    from contracts.snapshot import Snapshot


def _line(one: Snapshot) -> str:
    return f"{one.id}  {one.rows:>9} rows  {one.quarantined:>6} set aside  up to {one.watermark.isoformat()}"


@click.command()
@click.argument("pipeline")
@click.option("--until", type=click.DateTime(), help="Only rows whose label is known by then (UTC).")
@click.option("--since", type=click.DateTime(), help="Look for late rows and corrections from here on (UTC), once.")
@click.pass_obj
def ingest(options: Options, pipeline: str, until: datetime | None, since: datetime | None) -> None:
    """Make a snapshot of the source's new rows."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from flows.stages.ingest import ingest as run
    from understudy.commands.progress import rows_read

    settings = read_settings(options.home, options.pipelines)
    limits = [None if one is None else one.replace(tzinfo=UTC) for one in (until, since)]
    with rows_read() as seen:
        result = run(settings, load_pipeline(settings, pipeline), limits[0], since=limits[1], seen=seen)
    said = "" if result.new_rows else "Nothing new: "
    show(result, [f"{said}{result.said}.", _line(result.snapshot)], as_json=options.as_json)


@click.command()
@click.argument("pipeline")
@click.option("--prune", is_flag=True, help="Take out older snapshots; never one that a registered version was fitted on.")
@click.option("--keep", type=click.IntRange(1), default=10, show_default=True, help="With --prune: how many of the newest stay.")
@click.option("--dry-run", is_flag=True, help="With --prune: only say what would go.")
@click.pass_obj
def snapshots(options: Options, pipeline: str, prune: bool, keep: int, dry_run: bool) -> None:
    """List the versions of the data, oldest first, or take out old ones."""
    from adapters.data_repo import DataRepo
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings

    settings = read_settings(options.home, options.pipelines)
    load_pipeline(settings, pipeline)
    if prune:
        _prune(options, settings, pipeline, keep, dry_run=dry_run)
        return
    found = DataRepo(settings).snapshots(pipeline)
    lines = [_line(one) for one in found] or [f"No snapshot yet. Make one with: understudy ingest {pipeline}"]
    show(found, lines, as_json=options.as_json)


def _prune(options: Options, settings: Settings, pipeline: str, keep: int, *, dry_run: bool) -> None:
    from flows.stages.retention import prune_snapshots

    done = prune_snapshots(settings, pipeline, keep, dry_run=dry_run)
    verb = "would go" if dry_run else "are gone"
    lines = [
        f"{len(done.removed)} snapshots and {done.objects} objects ({done.bytes / 1e6:.1f} MB) {verb}.",
        *map("  {}".format, done.removed),
    ]
    lines += [f"{one} stays: {why}." for one, why in done.kept.items()]
    show(done, lines, as_json=options.as_json)


@click.command()
@click.argument("pipeline")
@click.argument("a")
@click.argument("b")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the most moved columns to this .png or .svg file.")
@click.pass_obj
def diff(options: Options, pipeline: str, a: str, b: str, plot: Path | None) -> None:
    """Say what changed from snapshot A to snapshot B, and which distributions moved."""
    from adapters.data_repo import DataRepo
    from adapters.settings import read_settings
    from contracts.errors import UsageError
    from flows.stages.data_diff import draw, moved, sides

    if plot is not None and plot.suffix not in {".png", ".svg"}:
        raise UsageError(f"A picture cannot be written as '{plot.name}'.", "Name a .png or .svg file.")

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
        "columns_changed": {
            name: [kind, second.columns[name]] for name, kind in first.columns.items() if second.columns.get(name, kind) != kind
        },
        "corrected": sum(one.corrected for one in second.partitions if one.name not in before),
    }
    found = sides(repo, first, second)
    columns = moved(found)
    lines = [f"{key}: {value}" for key, value in document.items() if value]
    lines += [f"distributions, of {found.names[0]} and of {found.names[1]} (stability index, p):"]
    lines += [f"  {one.effect:6.2f}  {one.p_value:.1e}  {one.column}: {one.before} → {one.after}" for one in columns]
    if plot is not None:
        draw(found, [one.column for one in columns], plot)
        lines.append(f"Drawn: {plot}")
    show({**document, "compared": list(found.names), "distributions": columns}, lines, as_json=options.as_json)


@click.command()
@click.argument("pipeline")
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--aside", type=click.Path(path_type=Path, dir_okay=False), help="Write the failing rows of a Parquet FILE there, with reasons."
)
@click.option("--all", "everything", is_flag=True, help="List what holds too, instead of counting it.")
@click.pass_context
def check(ctx: click.Context, pipeline: str, file: Path | None, aside: Path | None, everything: bool) -> None:
    """Run the suite on FILE, or with the checks against the history on the newest snapshot; exit 1 where it fails.

    What fails comes first, with up to three examples. A failure of severity `warn` is only said.
    """
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from adapters.sources.file_kinds import is_parquet
    from contracts.errors import UsageError
    from data_checks.check_lines import batch_lines
    from flows.stages.check import check_file, check_snapshot, keep_failing
    from understudy.commands.check_table import print_checks

    options: Options = ctx.obj
    settings = read_settings(options.home, options.pipelines)
    loaded = load_pipeline(settings, pipeline)
    if aside is not None and (file is None or not is_parquet(file)):
        raise UsageError("--aside needs a Parquet FILE.", "Name one.")
    answer, history = check_snapshot(settings, loaded) if file is None else (check_file(settings, loaded, file), ())
    found = batch_lines(loaded.spec.checks, answer, history)
    if options.as_json:
        show({**plain(answer), "history": history, "checks": found}, [], as_json=True)
    else:
        print_checks(answer.rows, found, everything=everything)
    if file is not None and aside is not None:
        click.echo(f"{keep_failing(loaded, file, answer, aside)} failing rows are in {aside}.", err=options.as_json)
    ctx.exit(1 if any(one.refuses for one in found) else 0)
