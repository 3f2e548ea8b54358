"""The `understudy` command: its options, its commands by name, and what an error looks like."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from contracts.errors import UnderstudyError

# command -> (module, one line of help): a command's module is imported only when it is asked for
_COMMANDS = {
    "abort": ("operate", "Take the candidate out; the champion stays."),
    "backtest": ("backtest", "Compare refit policies over the pipeline's own history."),
    "check": ("data", "Run the suite on a file, or on the newest snapshot."),
    "demo": ("demo", "Play the whole loop with every real part; ends with an HTML report."),
    "deploy": ("deploy", "Register the deployments of all pipelines on a Prefect server."),
    "diff": ("data", "Say what changed between two snapshots."),
    "doctor": ("doctor", "Say what is amiss on this machine, and what to do about it."),
    "down": ("up", "Stop what `understudy up` started."),
    "explain": ("decisions", "Show one decision with its numbers and limits."),
    "export": ("export", "Write a version as a wheel, a container's build context, or ONNX."),
    "history": ("decisions", "List the decisions, newest first."),
    "init": ("init", "Write a pipeline from a sample of its data."),
    "ingest": ("data", "Make a snapshot of the source's new rows."),
    "lineage": ("lineage", "Say which rows trained a version, or which versions saw a row."),
    "pause": ("operate", "Stop judging until somebody resumes."),
    "promote": ("operate", "Make the candidate champion now, whatever the evidence."),
    "quarantine": ("quarantine", "List what was set aside and why, or release it after a fix."),
    "replay": ("replay", "Send a file's rows as live requests, labels as feedback."),
    "reproduce": ("reproduce", "Refit a version from its lineage and compare the bytes."),
    "resume": ("operate", "Go on judging where it was paused."),
    "retrain": ("retrain", "Fresh data, a fit, gates, a version."),
    "rollback": ("operate", "Bring the previous champion back now."),
    "schema": ("schema", "Print the JSON Schema of pipeline.yaml."),
    "score": ("score", "Answer every row of a file with the champion or a version."),
    "snapshots": ("data", "List the versions of the data, oldest first."),
    "status": ("status", "Say who serves, who rehearses, and on what evidence."),
    "traffic": ("traffic", "Ask in SQL what was asked and answered."),
    "up": ("up", "Start everything on this machine, on loopback."),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed before the command's name."""

    home: Path | None
    pipelines: Path | None
    as_json: bool
    debug: bool


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"understudy.commands.{_COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"understudy.commands.{_COMMANDS[cmd_name][0]}.{cmd_name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Where all state is (UNDERSTUDY_HOME, .understudy).")
@click.option(
    "--pipelines", type=click.Path(path_type=Path, file_okay=False), help="Where pipelines are (UNDERSTUDY_PIPELINES, pipelines)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="understudy")
@click.pass_context
def cli(ctx: click.Context, home: Path | None, pipelines: Path | None, as_json: bool, debug: bool) -> None:
    """Understudy keeps a model in production true."""
    ctx.obj = Options(home, pipelines, as_json, debug)


def main(args: list[str] | None = None) -> None:
    """Run the command line; exits 0 done, 1 the answer is no, 2 wrong use, 3 something outside failed."""
    given = sys.argv[1:] if args is None else args
    try:
        code = cli.main(args=given, prog_name="understudy", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(2) from error
    except click.Abort as error:
        click.echo("Interrupted.", err=True)
        raise SystemExit(130) from error
    except UnderstudyError as error:
        if "--debug" in given:
            raise
        from understudy.commands.output import complain

        complain(error)
        raise SystemExit(error.exit_code) from error
    if isinstance(code, int) and code:  # click hands back what ctx.exit was given
        raise SystemExit(code)
