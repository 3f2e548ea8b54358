"""Says on stderr how far a long reading is: a line that moves in a terminal, else one line for every million rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_EVERY = 1_000_000


@contextmanager
def rows_read() -> Iterator[Callable[[int, str], None]]:
    """Give what is told how many rows were read so far, and where."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,} rows read"), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda count, where: progress.update(task, completed=count, description=where)


def _lines() -> Callable[[int, str], None]:
    said = 0

    def seen(count: int, where: str) -> None:
        nonlocal said
        if count // _EVERY > said:
            said = count // _EVERY
            click.echo(f"{count:,} rows read, now {where}", err=True)

    return seen
