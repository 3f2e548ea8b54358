"""promote, rollback, abort, pause and resume: an operator's wish, recorded with who and why, and answered at once in this process."""

from __future__ import annotations

import getpass
import os
import socket
import time
from typing import TYPE_CHECKING

import click

from contracts.errors import UnderstudyError
from contracts.events import IntentKind
from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from adapters.pipeline_files import Pipeline
    from adapters.settings import Settings
    from contracts.rollout import Aliases
    from flows.stages.tick import TickResult


def _operator(kind: IntentKind, does: str) -> click.Command:
    @click.command(name=kind.value, help=does, short_help=does)
    @click.argument("pipeline")
    @click.option("--reason", required=True, help="Why; kept with the decision for ever.")
    @click.option("--actor", default=None, help="Who; user@host when not given.")
    @click.pass_context
    def command(ctx: click.Context, pipeline: str, reason: str, actor: str | None) -> None:
        ctx.exit(_carry_out(ctx.obj, kind, pipeline, reason, actor or me()))

    return command


promote = _operator(IntentKind.PROMOTE, "Make the candidate champion now, whatever the evidence.")
rollback = _operator(IntentKind.ROLLBACK, "Bring the previous champion back now.")
abort = _operator(IntentKind.ABORT, "Take the candidate out; the champion stays.")
pause = _operator(IntentKind.PAUSE, "Stop judging until somebody resumes.")
resume = _operator(IntentKind.RESUME, "Go on judging where it was paused.")


def _carry_out(options: Options, kind: IntentKind, name: str, reason: str, actor: str) -> int:
    """Record, answer, show, then tell the registry; return the exit code."""
    started = time.monotonic()
    if not reason.strip():
        raise click.BadParameter("say why in a few words", param_hint="--reason")
    from adapters.ledger import Ledger
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from contracts.rollout import Act
    from flows.stages.operator import answer

    settings = read_settings(options.home, options.pipelines)
    pipeline = load_pipeline(settings, name)
    ledger = Ledger(settings.ledger_url)
    record, done = answer(settings, pipeline, ledger, ledger.add_intent(name, kind, actor, reason), lambda: _aliases(settings, pipeline))
    seconds = time.monotonic() - started
    declined = record.act is Act.DECLINE
    who = f", version {record.version}" if record.version else ""
    line = f"{'declined' if declined else record.act.value}{who}: {record.reason} (decision {record.id}, in force after {seconds:.3f} s)"
    show({"decision": record, "seconds": round(seconds, 4)}, [line], as_json=options.as_json)
    if done is not None and not declined:
        _tell_registry(settings, pipeline, done)
    return 1 if declined else 0


def _aliases(settings: Settings, pipeline: Pipeline) -> Aliases:
    from adapters.registry import Registry

    return Registry(settings).aliases(pipeline.spec.name)


def _tell_registry(settings: Settings, pipeline: Pipeline, done: TickResult) -> None:
    """The gateways follow the ledger already; aliases come after, and where MLflow is away the next tick moves them."""
    try:
        from adapters.registry import Registry  # MLflow's import takes seconds
        from flows.stages.tick import act

        outside = act(pipeline, Registry(settings), done).outside
    except UnderstudyError as error:
        outside = (str(error),)
    for one in outside:
        click.echo(f"It is in force, but: {one} The next tick tells the registry again.", err=True)


def me() -> str:
    """Return who types: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:128]
