"""replay: rows of a file as live requests."""

from __future__ import annotations

from pathlib import Path

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.argument("pipeline")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--rows-per-request", type=click.IntRange(1), default=20, show_default=True)
@click.option("--feedback/--no-feedback", default=True, show_default=True, help="Send the labels too.")
@click.option("--speed", type=float, help="How many times faster than it happened; as fast as it is answered when not given.")
@click.option("--feedback-delay", help="How long after its row a label comes, such as 2h; the pipeline's label_delay when not given.")
@click.pass_context
def replay(
    ctx: click.Context, pipeline: str, file: Path, rows_per_request: int, feedback: bool, speed: float | None, feedback_delay: str | None
) -> None:
    """Send a file's rows as live requests, labels as feedback; exit 1 where a request failed."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from adapters.sources import read_rows
    from contracts.duration import parse_duration
    from contracts.spec import FileSource
    from understudy.replay import replay_frame

    options: Options = ctx.obj
    try:
        delay = None if feedback_delay is None else parse_duration(feedback_delay)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--feedback-delay") from error
    settings = read_settings(options.home, options.pipelines)
    loaded = load_pipeline(settings, pipeline)
    rows = read_rows(FileSource(kind="file", path=str(file)), loaded.spec.columns)
    result = replay_frame(settings, loaded, rows, rows_per_request=rows_per_request, feedback=feedback, speed=speed, feedback_delay=delay)
    keys = ("requests", "rows", "failed", "seconds", "latency_p50_ms", "latency_p99_ms", "feedback", "error")
    document = {key: getattr(result, key) for key in keys}
    show(document, [f"{key}: {value}" for key, value in document.items()], as_json=options.as_json)
    ctx.exit(1 if result.failed else 0)
