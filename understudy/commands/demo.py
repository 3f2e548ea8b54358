"""demo: the whole loop, told as it happens."""

from __future__ import annotations

import json
from pathlib import Path

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The bike-sharing hour.csv; simulated clicks when absent."
)
@click.option("--keep", is_flag=True, help="Leave everything up for looking around.")
@click.pass_obj
def demo(options: Options, data: Path | None, keep: bool) -> None:
    """Play the whole loop with every real part: data, fit, gates, rehearsal, promotion, roll-back; ends with an HTML report."""
    from adapters.settings import read_settings
    from understudy.demo.play import play

    settings = read_settings(options.home, options.pipelines)
    report = play(settings, data, keep=keep)
    show(json.loads(report.with_suffix(".json").read_text()), [str(report)], as_json=options.as_json)
