"""init: a pipeline proposed from a sample of its data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from understudy.init.proposal import Proposal

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TASKS = ("regression", "binary", "multiclass")


@click.command()
@click.argument("name")
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file with past rows.")
@click.option("--target", required=True, help="The column to predict.")
@click.option("--time", "times", multiple=True, help="The column that says when; more than once where several make the time.")
@click.option("--task", type=click.Choice(_TASKS), help="What is predicted; guessed from the target where absent.")
@click.option("--force", is_flag=True, help="Overwrite the files of a pipeline that is there.")
@click.pass_obj
def init(options: Options, name: str, data: Path, target: str, times: tuple[str, ...], task: Any, force: bool) -> None:
    """Write pipelines/NAME from a sample of its data, and say what was decided and why."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from data_checks.propose import propose_suite
    from understudy.init.proposal import checked_spec, propose
    from understudy.init.sample import read_sample
    from understudy.init.write import refuse_existing, write_pipeline

    _refuse_name(name)
    settings = read_settings(options.home, options.pipelines)
    folder = settings.pipelines / name
    refuse_existing(folder, force=force)
    sample = read_sample(data)
    proposal = propose(name, sample, target, times, task)
    files = write_pipeline(folder, proposal, propose_suite(sample.frame, checked_spec(proposal)))
    load_pipeline(settings, name)  # what was written is what every other command reads
    _warn(proposal)
    show(_document(proposal, folder, files), _lines(proposal, folder), as_json=options.as_json)


def _refuse_name(name: str) -> None:
    from contracts.errors import UsageError

    if not _NAME.fullmatch(name):
        better = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:63]
        hint = f"Such as '{better}'." if _NAME.fullmatch(better) else "Such as 'my_model'."
        raise UsageError(f"'{name}' cannot name a pipeline: lower-case letters, digits and underscores, a letter first.", hint)


def _warn(proposal: Proposal) -> None:
    target = proposal.spec["columns"]["target"]
    for one in proposal.left_out:
        if one.leak:
            click.echo(f"Left out '{one.column}': {one.why}; a model would only copy the answer.", err=True)
    for column, why in proposal.suspects.items():
        click.echo(f"Look at '{column}': {why}. If it is known only after {target} is, take it out of features.", err=True)


def _document(proposal: Proposal, folder: Path, files: list[Path]) -> dict[str, Any]:
    return {
        "pipeline": proposal.spec["name"],
        "folder": folder,
        "files": files,
        "rows": proposal.rows,
        "first": proposal.first,
        "last": proposal.last,
        "decided": proposal.decided,
        "features": proposal.features,
        "left_out": proposal.left_out,
        "suspects": proposal.suspects,
        "spec": proposal.spec,
    }


def _lines(proposal: Proposal, folder: Path) -> list[str]:
    counts = {kind: sum(one.kind == kind for one in proposal.features) for kind in ("numeric", "categorical")}
    name = proposal.spec["name"]
    return [
        f"{folder}: from {proposal.rows} rows, {proposal.first:%Y-%m-%d %H:%M} to {proposal.last:%Y-%m-%d %H:%M} UTC",
        *(f"  {one.key:<17} {_shown(one.value):<16} {one.why}" for one in proposal.decided),
        f"  {'features':<17} {counts['numeric']} numeric, {counts['categorical']} categorical",
        *(f"  {'left out':<17} {one.column:<16} {one.why}" for one in proposal.left_out),
        f"Look at {folder / 'pipeline.yaml'}, then: understudy retrain {name} --local",
    ]


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
