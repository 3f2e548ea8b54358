"""doctor: what is amiss, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from understudy.doctor.finding import Finding

_COLORS = {"ok": "green", "warning": "yellow", "wrong": "red"}


@click.command()
@click.argument("pipeline", required=False)
@click.pass_context
def doctor(ctx: click.Context, pipeline: str | None) -> None:
    """Check configuration, versions, services, credentials, disk and ports; say what to do.

    Exits with 0 where nothing is wrong, 2 where something here is, 3 where only something outside is.
    """
    from understudy.doctor.finding import State, exit_code

    findings = look(ctx.obj, pipeline)
    counts = {state.value: sum(one.state is state for one in findings) for state in State}
    lines = [line for one in findings for line in _lines(one)]
    summary = f"{counts['wrong']} wrong, {counts['warning']} to know about, {counts['ok']} ok."
    show({"findings": findings, "counts": counts}, [*lines, summary], as_json=ctx.obj.as_json)
    ctx.exit(exit_code(findings))


def look(options: Options, pipeline: str | None) -> list[Finding]:
    """Return everything that was found.

    Raises:
        UsageError: there is no pipeline of this name.
    """
    import os
    from pathlib import Path

    from adapters.settings import read_settings
    from contracts.errors import UsageError
    from understudy.doctor.environment import look_at_environment
    from understudy.doctor.finding import wrong
    from understudy.doctor.machine import look_at_machine
    from understudy.doctor.pipelines import look_at_pipelines
    from understudy.doctor.services import look_at_services
    from understudy.doctor.stores import look_at_stores

    home = (options.home or Path(os.environ.get("UNDERSTUDY_HOME", ".understudy"))).absolute()
    findings = [*look_at_machine(home), *look_at_environment(os.environ, home)]
    try:
        settings = read_settings(options.home, options.pipelines)
    except UsageError as error:
        return [*findings, wrong("settings", error.message, error.remedy)]
    except ValueError as error:
        return [*findings, wrong("settings", f"{home / 'run' / 'services.json'} is not JSON: {error}.", "Delete it, then: understudy up")]
    return [*findings, *look_at_stores(settings), *look_at_services(settings), *look_at_pipelines(settings, pipeline)]


def _lines(one: Finding) -> list[str]:
    state = click.style(f"{one.state.value:<8}", fg=_COLORS[one.state.value], bold=one.state.value != "ok")
    return [f"{state} {one.subject:<12} {one.said}", *([f"{'':<21} → {one.remedy}"] if one.remedy else [])]
