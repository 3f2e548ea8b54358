"""status: where each rollout stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from understudy.commands.decisions import open_ledger, verdict_line
from understudy.commands.output import show
from understudy.main import Options

if TYPE_CHECKING:
    from contracts.rollout import DecisionRecord, ModelRef


def _model(model: ModelRef | None) -> dict[str, Any] | None:
    return None if model is None else {"version": model.version, "snapshot": model.snapshot}


def _decision(one: DecisionRecord) -> dict[str, Any]:
    return {"id": one.id, "at": one.at, "action": one.act, "reason": one.reason, "actor": one.actor, "version": one.version}


def describe(options: Options, pipeline: str) -> tuple[dict[str, Any], list[str]]:
    """Return a pipeline's status as a document and as lines; its evidence is that of the newest decision that had any."""
    ledger = open_ledger(options, pipeline)
    state, records, shadow = ledger.state(pipeline), ledger.decisions(pipeline), ledger.shadow(pipeline)
    evidence = next((one.verdicts for one in records if one.verdicts), ())
    champion = _model(state.champion)
    if champion is not None:
        champion["since"] = state.champion_since
    document = {
        "pipeline": pipeline,
        "champion": champion,
        "previous": _model(state.previous),
        "candidate": _model(state.candidate),
        "phase": state.phase,
        "stage": state.stage,
        "epoch": state.epoch,
        "route": state.route,
        "evidence": list(evidence),
        "shadow": None if shadow is None else {"lag_seconds": shadow.lag_seconds, "lag_rows": shadow.lag_rows},
        "decisions": [_decision(one) for one in records],
    }
    who = [
        f"{role} {model.version if model else '-'}"
        for role, model in (("champion", state.champion), ("candidate", state.candidate), ("previous", state.previous))
    ]
    lines = [f"{pipeline}: {state.phase.value}, {', '.join(who)}, epoch {state.epoch}", *(verdict_line(one) for one in evidence)]
    return document, lines + [f"  {one.act.value} {one.version or ''}: {one.reason}" for one in records[:3]]


@click.command()
@click.argument("pipeline", required=False)
@click.pass_obj
def status(options: Options, pipeline: str | None) -> None:
    """Say who serves, who rehearses, and on what evidence; of all pipelines where none is named."""
    from adapters.pipeline_files import list_pipelines
    from adapters.settings import read_settings

    names = [pipeline] if pipeline else list_pipelines(read_settings(options.home, options.pipelines))
    found = [describe(options, name) for name in names]
    documents = [document for document, _ in found]
    lines = [line for _, some in found for line in some] or ["There is no pipeline here."]
    show(documents[0] if pipeline else documents, lines, as_json=options.as_json)
