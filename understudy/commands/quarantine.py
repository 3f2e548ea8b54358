"""quarantine: what was set aside and why, and its way back after a fix."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    import pandas as pd

    from adapters.pipeline_files import Pipeline
    from adapters.settings import Settings
    from flows.stages.quarantine import AsideFile


@click.command()
@click.argument("pipeline")
@click.argument("action", type=click.Choice(["list", "release"]), default="list")
@click.option("--rows", type=click.IntRange(1), help="Show so many of the rows that are set aside.")
@click.option("--reason", default="", help="Only rows with a reason that holds this text, such as a column's name.")
@click.option("--export", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows to a file: .parquet, .csv or .jsonl.")
@click.option("--why", help="With release: why the rows may come back; kept with the record.")
@click.option("--actor", help="With release: who says so; user@host when not given.")
@click.pass_context
def quarantine(
    ctx: click.Context, pipeline: str, action: str, rows: int | None, reason: str, export: Path | None, why: str | None, actor: str | None
) -> None:
    """List what was set aside and why, or release it: it is checked again, and what passes enters the next snapshot."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings

    options: Options = ctx.obj
    settings = read_settings(options.home, options.pipelines)
    loaded = load_pipeline(settings, pipeline)
    if action == "release":
        ctx.exit(_release(options, settings, loaded, reason, why, actor))
    if export is not None:
        _export(options, settings, loaded, reason, export)
    elif rows is not None:
        _rows(options, settings, loaded, reason, rows)
    else:
        _list(options, settings, loaded)


def _release(options: Options, settings: Settings, loaded: Pipeline, reason: str, why: str | None, actor: str | None) -> int:
    from flows.stages.quarantine import release
    from understudy.commands.operate import me

    if not (why or "").strip():
        raise click.BadParameter("say in a few words why the rows may come back", param_hint="--why")
    done = release(settings, loaded, str(why), actor or me(), reason)
    lines = [
        f"{done.released} rows released" + (f"; snapshot {done.snapshot}." if done.snapshot else "."),
        f"{done.still_aside} stay aside.",
    ]
    show(done, [*lines, *_counts(done.reasons)], as_json=options.as_json)
    return 0 if done.released else 1


def _list(options: Options, settings: Settings, loaded: Pipeline) -> None:
    from adapters.quarantine_files import QuarantineFiles
    from flows.stages.quarantine import list_aside

    found = list_aside(settings, loaded)
    released = QuarantineFiles(settings, loaded.spec.name).releases()
    aside, refused = [one for one in found if one.kind == "aside"], [one for one in found if one.kind == "refused"]
    document = {"rows": sum(one.rows for one in aside), "files": found, "releases": released}
    lines = [f"{document['rows']} rows are set aside."]
    for one in aside:
        lines += [_line(one), *_counts(one.reasons)]
    for one in refused:
        lines.append(f"{_line(one)} a refused batch; " + ("its time is in a snapshot by now" if one.snapshot else "it is read again"))
    lines += [f"{one['at'][:19]}Z  {one['rows']} rows released by {one['actor']}: {one['why']}" for one in released]
    show(document, lines, as_json=options.as_json)


def _line(one: AsideFile) -> str:
    return f"{one.first:%Y-%m-%d %H:%M} to {one.last:%Y-%m-%d %H:%M}  {one.snapshot or 'no snapshot':<13}  {one.rows:>6} rows "


def _counts(reasons: dict[str, int]) -> list[str]:
    return [f"    {count:>6}  {reason}" for reason, count in reasons.items()]


def _rows(options: Options, settings: Settings, loaded: Pipeline, reason: str, most: int) -> None:
    from flows.stages.quarantine import rows_aside

    found = rows_aside(settings, loaded, reason)
    shown = found.head(most)
    lines = [f"{len(shown)} of {len(found)} rows.", shown.to_string(index=False) if len(shown) else ""]
    show({"count": len(found), "rows": _records(shown)}, lines, as_json=options.as_json)


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    import json

    found: list[dict[str, Any]] = json.loads(rows.to_json(orient="records", date_format="iso"))
    return found


def _export(options: Options, settings: Settings, loaded: Pipeline, reason: str, path: Path) -> None:
    from contracts.errors import UsageError
    from flows.stages.quarantine import rows_aside

    found = rows_aside(settings, loaded, reason)
    try:
        match path.suffix:
            case ".parquet":
                found.to_parquet(path, index=False)
            case ".csv":
                found.to_csv(path, index=False)
            case ".jsonl":
                found.to_json(path, orient="records", lines=True, date_format="iso")
            case other:
                raise UsageError(f"{path} has the ending '{other}'.", "Write .parquet, .csv or .jsonl.")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error
    show({"count": len(found), "file": path}, [f"{len(found)} rows in {path}."], as_json=options.as_json)
