"""How a command speaks: one JSON document or plain lines on stdout, messages on stderr."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import click

from contracts.errors import BatchRefused, UnderstudyError


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: records as objects, times as RFC 3339, durations as seconds, enums by name or value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str) else value.name
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, Path) else value


def show(document: Any, lines: list[str], *, as_json: bool) -> None:
    """Print the document as JSON, or the lines for people."""
    click.echo(json.dumps(plain(document), indent=2, ensure_ascii=False) if as_json else "\n".join(lines))


def complain(error: UnderstudyError) -> None:
    """Say on stderr what happened and what to do; of a refused batch first what `understudy check` would show."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True)
    if isinstance(error, BatchRefused) and error.checks:
        from understudy.commands.check_table import print_checks

        print_checks(error.rows, error.checks, everything=False, console=Console(stderr=True, highlight=False))
    console.print(Text(error.message, style="bold red"))
    if error.remedy:
        console.print(Text(error.remedy))
