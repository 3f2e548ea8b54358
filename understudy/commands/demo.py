"""demo: the whole loop, told as it happens."""

from __future__ import annotations

from pathlib import Path

import click

from understudy.commands.output import show
from understudy.main import Options


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A bike-sharing hour.csv instead of the simulator."
)
@click.option("--keep", is_flag=True, help="Leave everything running.")
@click.pass_obj
def demo(options: Options, data: Path | None, keep: bool) -> None:
    """Play the whole loop, told as it happens; ends with a report."""
    from adapters.settings import read_settings
    from understudy.demo.run import run_demo

    report = run_demo(read_settings(options.home, options.pipelines), data, keep=keep)
    show({"report": report}, [str(report)], as_json=options.as_json)
