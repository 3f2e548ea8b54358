"""traffic: questions in SQL over what was asked and answered."""

from __future__ import annotations

import csv
import sys
from typing import Any

import click

from contracts.errors import UsageError
from understudy.commands.output import show
from understudy.main import Options

_SHOWN = 200
_DEFAULT = """
SELECT version, arm, count(*) AS "rows", count(label) AS labelled, min(event_time) AS first, max(event_time) AS last,
       round(quantile_cont(latency_us, 0.5) / 1000, 3) AS p50_ms, round(quantile_cont(latency_us, 0.99) / 1000, 3) AS p99_ms
FROM labelled GROUP BY version, arm ORDER BY max(logged_at) DESC
"""


@click.command()
@click.argument("pipeline")
@click.option("--sql", default=_DEFAULT, help="One SELECT; a summary by version when not given.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every row as CSV.")
@click.option("--archive", is_flag=True, help="Ask also what is in the object store only (UNDERSTUDY_TRAFFIC_URL).")
@click.pass_obj
def traffic(options: Options, pipeline: str, sql: str, as_csv: bool, archive: bool) -> None:
    """Ask the traffic log in SQL (DuckDB): answers, failures, feedback, shadow, and labelled (answers with their last label).

    \b
    understudy traffic ad_clicks --sql "SELECT device, avg(prediction), avg(label_value) FROM labelled GROUP BY device"
    """
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from adapters.traffic_sql import ask_traffic

    settings = read_settings(options.home, options.pipelines)
    name = load_pipeline(settings, pipeline).spec.name
    if archive and settings.traffic_rules.url is None:
        raise UsageError("There is no object store to ask.", "Set UNDERSTUDY_TRAFFIC_URL, or leave --archive out.")
    columns, rows = ask_traffic(settings.traffic / name, sql, _tell, settings.traffic_rules.url if archive else None)
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    elif options.as_json:
        show([dict(zip(columns, one, strict=True)) for one in rows], [], as_json=True)
    else:
        _print_table(columns, rows)


def _tell(rows: int) -> None:
    if rows >= 500_000 and rows % 500_000 == 0:
        click.echo(f"{rows:,} rows read", err=True)


def _print_table(columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    made = Table(*columns)
    for one in rows[:_SHOWN]:
        made.add_row(*("" if value is None else str(value) for value in one))
    Console().print(made)
    if len(rows) > _SHOWN:
        click.echo(f"{_SHOWN} of {len(rows):,} rows are shown; --csv or --json gives all.", err=True)
