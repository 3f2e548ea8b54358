"""promote, rollback, abort, pause and resume: an operator's wish, recorded with who and why, and answered at once in this process."""

from __future__ import annotations

import getpass
import os
import socket
import time
from typing import TYPE_CHECKING

import click

from contracts.errors import Conflict, UnderstudyError
from contracts.events import Intent, IntentKind
from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from adapters.ledger import Ledger
    from adapters.pipeline_files import Pipeline
    from adapters.settings import Settings
    from contracts.rollout import Aliases, DecisionRecord
    from flows.stages.tick import TickResult

_TRIES = 10  # earlier intents are answered first, and another process may decide in between


def _operator(kind: IntentKind, does: str) -> click.Command:
    @click.command(name=kind.value, help=does, short_help=does)
    @click.argument("pipeline")
    @click.option("--reason", required=True, help="Why; kept with the decision for ever.")
    @click.option("--actor", default=None, help="Who; user@host when not given.")
    @click.pass_context
    def command(ctx: click.Context, pipeline: str, reason: str, actor: str | None) -> None:
        ctx.exit(_carry_out(ctx.obj, kind, pipeline, reason, actor or _me()))

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

    settings = read_settings(options.home, options.pipelines)
    pipeline = load_pipeline(settings, name)
    ledger = Ledger(settings.ledger_url)
    record, done = _answer(settings, pipeline, ledger, ledger.add_intent(name, kind, actor, reason))
    seconds = time.monotonic() - started
    declined = record.act is Act.DECLINE
    who = f", version {record.version}" if record.version else ""
    line = f"{'declined' if declined else record.act.value}{who}: {record.reason} (decision {record.id}, in force after {seconds:.3f} s)"
    show({"decision": record, "seconds": round(seconds, 4)}, [line], as_json=options.as_json)
    if done is not None and not declined:
        _tell_registry(settings, pipeline, done)
    return 1 if declined else 0


def _answer(settings: Settings, pipeline: Pipeline, ledger: Ledger, asked: Intent) -> tuple[DecisionRecord, TickResult | None]:
    """Decide until the intent is answered, by this process or by another that was quicker."""
    from flows.stages.tick import decide

    done = None
    for _ in range(_TRIES):
        record = ledger.answer_to(asked, pipeline.spec.name)
        if record is not None:
            return record, done
        try:
            done = decide(settings, pipeline, lambda: _aliases(settings, pipeline), ledger)
        except Conflict:
            done = None  # somebody else decided first; perhaps it was the answer
    raise Conflict(
        f"The {asked.kind.value} of '{pipeline.spec.name}' is recorded, but others keep deciding first.", "The next tick answers it."
    )


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


def _me() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:128]
