"""lineage: which rows trained a version, and which versions saw a row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from adapters.settings import Settings
    from flows.stages.lineage import Part, Trained
    from flows.stages.row_history import RowHistory

_TIMES = "%Y-%m-%dT%H:%M:%S.%fZ"


@click.command()
@click.argument("pipeline")
@click.argument("version", required=False)
@click.option("--row", "key", help="A row's key instead of a VERSION: value, COLUMN=VALUE,…, its event time, or a request id.")
@click.option(
    "--rows",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write keys and times of the rows that trained VERSION (.csv, .parquet; - prints).",
)
@click.pass_context
def lineage(ctx: click.Context, pipeline: str, version: str | None, key: str | None, rows: Path | None) -> None:
    """Say which rows trained VERSION, or which versions saw a row; exit 1 where nothing knows the row."""
    from adapters.settings import read_settings
    from contracts.errors import UsageError

    options: Options = ctx.obj
    settings = read_settings(options.home, options.pipelines)
    if (version is None) == (key is None) or (rows is not None and version is None):
        raise UsageError("Name a version or a row.", f"understudy lineage {pipeline} VERSION [--rows FILE], or --row KEY.")
    if version is not None:
        _of_version(settings, pipeline, version, rows, as_json=options.as_json)
        return
    from adapters.pipeline_files import load_pipeline
    from flows.stages.row_history import seen_by

    found = seen_by(settings, load_pipeline(settings, pipeline), key or "")
    show(found, _row_lines(found), as_json=options.as_json)
    ctx.exit(0 if found.known else 1)


def _of_version(settings: Settings, pipeline: str, version: str, rows: Path | None, *, as_json: bool) -> None:
    from flows.stages.lineage import trained_by

    found, trained = trained_by(settings, pipeline, version)
    if rows is None:
        show(found, _version_lines(found), as_json=as_json)
    elif str(rows) == "-":
        click.echo(trained.to_csv(index=False, date_format=_TIMES), nl=False)
    else:
        from adapters.parquet_files import write_parquet

        if rows.suffix == ".parquet":
            write_parquet(trained, rows)
        else:
            rows.absolute().parent.mkdir(parents=True, exist_ok=True)  # as for Parquet
            trained.to_csv(rows, index=False, date_format=_TIMES)
        show(found, [*_version_lines(found), f"{len(trained)} rows: {rows}"], as_json=as_json)


def _version_lines(found: Trained) -> list[str]:
    known = found.lineage
    head = [
        f"Version {found.version} of '{found.pipeline}' was fitted on snapshot {known.snapshot}, window {found.window}.",
        f"  commit {known.commit or 'none'} ({known.tree}), spec {known.spec_digest[:12]}, environment {known.environment[:12]}",
    ]
    return [*head, *(_part_line(role, part) for role, part in found.parts.items() if part.rows)]


def _part_line(role: str, part: Part) -> str:
    spans = "".join(f", {name} {least} to {greatest}" for name, (least, greatest) in part.keys.items())
    first, last = (one.isoformat() if one else "" for one in (part.first, part.last))
    return f"  {role}: {part.rows} rows, {first} to {last}{spans}"


def _row_lines(found: RowHistory) -> list[str]:
    if not found.known:
        return [f"Nothing knows row '{found.key}' of '{found.pipeline}': no snapshot, no quarantine, no traffic."]
    lines = [f"Row '{found.key}' of '{found.pipeline}':"]
    lines += [f"  came with snapshot {snapshot} ({partition})" for snapshot, partition in found.came]
    lines += [f"  version {one.version} (snapshot {one.snapshot}): {one.role}" for one in found.versions]
    lines += [f"  set aside in {one.file}: {one.reasons}" for one in found.aside]
    for one in found.log:
        shadow = f"; in shadow: version {', '.join(one.shadow)}" if one.shadow else ""
        lines.append(
            f"  answered by version {one.version} at {one.event_time.isoformat()} (request {one.request_id}, row {one.row}){shadow}"
        )
    return lines
