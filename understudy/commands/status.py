"""status: where each rollout stands."""

from __future__ import annotations

from typing import Any

import click

from understudy.commands.decisions import open_ledger
from understudy.commands.output import show
from understudy.main import Options

_DECISIONS_SHOWN = 3


def describe(options: Options, pipeline: str) -> tuple[dict[str, Any], list[str]]:
    """Return a pipeline's status as a document and as lines for people."""
    from adapters.ledger.overview import overview

    document = overview(open_ledger(options, pipeline), pipeline)
    roles = [f"{role} {(document[role] or {}).get('version', '-')}" for role in ("champion", "candidate", "previous")]
    lines = [f"{pipeline}: {document['phase']}, {', '.join(roles)}, epoch {document['epoch']}"]
    arms = document["route"]["arms"]
    if arms:
        lines.append("  users meet: " + ", ".join(f"version {one['model']['version']} ({one['name']}) {one['share']:.1%}" for one in arms))
    lines += [f"  {one['outcome']:<12} {one['gate']}: {one['reason']}" for one in document["evidence"]]
    if document["shadow"] is not None:
        lines.append(f"  shadow lag: {document['shadow']['lag_rows']} rows, {document['shadow']['lag_seconds']:.1f} s")
    lines += [f"  alert since {one['started_at']}: {one['summary']}" for one in document["alerts"]]
    shown = document["decisions"][:_DECISIONS_SHOWN]
    return document, lines + [f"  {one['action']} {one['version'] or ''}: {one['reason']}" for one in shown]


def _with_engine(options: Options, document: dict[str, Any], lines: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Add who computes the champion's answers on this machine, and why; nothing where its package is not here."""
    from adapters.model_cache import kept_package
    from adapters.onnx_runtime import proved_model
    from adapters.settings import read_settings

    champion = document["champion"]
    files = None if champion is None else kept_package(read_settings(options.home), champion["digest"])
    if files is None:
        return document | {"engine": None}, lines
    proved = proved_model(files)
    return document | {"engine": {"name": proved.engine, "why": proved.why}}, [*lines, f"  engine {proved.engine}: {proved.why}"]


def _with_next(options: Options, pipeline: str, document: dict[str, Any], lines: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Add what comes next, and why."""
    from adapters.pipeline_files import load_pipeline
    from adapters.settings import read_settings
    from understudy.calendar import coming, line

    settings = read_settings(options.home, options.pipelines)
    runs = coming(settings, load_pipeline(settings, pipeline).spec)
    return document | {"next": runs}, lines + [line(one) for one in runs]


@click.command()
@click.argument("pipeline", required=False)
@click.pass_obj
def status(options: Options, pipeline: str | None) -> None:
    """Say who serves, who rehearses, and on what evidence; of all pipelines where none is named."""
    from adapters.pipeline_files import list_pipelines
    from adapters.settings import read_settings

    names = [pipeline] if pipeline else list_pipelines(read_settings(options.home, options.pipelines))
    found = [_with_next(options, name, *_with_engine(options, *describe(options, name))) for name in names]
    documents = [document for document, _ in found]
    lines = [line for _, some in found for line in some] or ["There is no pipeline here."]
    show(documents[0] if pipeline else documents, lines, as_json=options.as_json)
