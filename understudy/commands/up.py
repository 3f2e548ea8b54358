"""up and down: everything on this machine, as one process to stop."""

from __future__ import annotations

from pathlib import Path

import click

from understudy.commands.output import show
from understudy.main import Options

_PATIENCE_SECONDS = 15.0  # one that stops takes up to ten


@click.command()
@click.option("--detach", is_flag=True, help="Start in the background, wait until all is ready, then return.")
@click.pass_obj
def up(options: Options, detach: bool) -> None:
    """Start Prefect server and worker, MLflow, gateway, shadow and webhook receiver, on loopback."""
    from adapters.settings import read_settings
    from understudy.services.detached import addresses, nothing_up, running_pid, start_detached
    from understudy.services.plan import make_plan
    from understudy.services.ports import choose_ports
    from understudy.services.supervisor import Supervisor, ensure_prefect_login

    settings = read_settings(options.home, options.pipelines)
    running = running_pid(settings)
    if running is not None and addresses(settings):
        show(
            addresses(settings), [f"Already up (process {running}).", *_lines(addresses(settings), settings.home)], as_json=options.as_json
        )
        return
    if detach:
        start_detached(settings)
        show(addresses(settings), _lines(addresses(settings), settings.home), as_json=options.as_json)
        return
    with nothing_up(settings, _PATIENCE_SECONDS):
        ensure_prefect_login(settings.home)
        settings = read_settings(options.home, options.pipelines)
        plan = make_plan(settings, choose_ports())
        Supervisor(settings, plan, lambda line: click.echo(line, err=True)).run()


@click.command()
@click.pass_obj
def down(options: Options) -> None:
    """Stop what `understudy up` started."""
    from adapters.settings import read_settings
    from understudy.services.detached import stop

    settings = read_settings(options.home, options.pipelines)
    stopped = stop(settings)
    show({"stopped": stopped}, ["Stopped." if stopped else "Nothing was up."], as_json=options.as_json)


def _lines(found: dict[str, str], home: Path) -> list[str]:
    lines = [f"{name:<8} {found[name]}" for name in ("prefect", "mlflow", "gateway", "grpc", "webhook") if name in found]
    login = home / "prefect.auth"
    return lines + ([f"Prefect asks once for a password: the line in {login}"] if login.exists() else [])
