"""What a run shows in the Prefect UI: checks, gates, evidence and drift as tables, and links onwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from adapters.settings import Settings
from contracts.events import Finding
from contracts.verdict import Verdict


def key(*parts: str) -> str:
    """Return an artifact's key: lower case, digits and dashes."""
    return "-".join(parts).lower().replace("_", "-")


def verdict_rows(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """Return verdicts as rows of a table."""
    return [
        {
            "outcome": one.outcome.name,
            "gate": one.gate,
            "observed": one.observed,
            "limit": one.limit,
            "samples": one.samples,
            "why": one.reason,
        }
        for one in verdicts
    ]


def verdicts(pipeline: str, what: str, found: Sequence[Verdict], description: str) -> None:
    """Publish verdicts (of checks or gates) as a table."""
    if found:
        create_table_artifact(verdict_rows(found), key=key(pipeline, what), description=description)


def findings(pipeline: str, found: Sequence[Finding], detail: str) -> None:
    """Publish what a monitor saw as a table."""
    rows = [
        {
            "severity": one.severity.value,
            "monitor": one.monitor,
            "subject": one.subject,
            "observed": one.observed,
            "limit": one.limit,
            "why": one.reason,
        }
        for one in found
    ]
    create_table_artifact(rows or [{"severity": "-", "why": "nothing found"}], key=key(pipeline, "drift"), description=detail)


def rollout(pipeline: str, status: dict[str, Any], settings: Settings) -> None:
    """Publish where a rollout stands: who serves, who rehearses, on what evidence, the last decisions."""
    who = [f"- **{role}**: {_version(status[role])}" for role in ("champion", "candidate", "previous")]
    evidence = [f"| {one['outcome']} | {one['gate']} | {_cell(one['reason'])} |" for one in status["evidence"]]
    decisions = [f"| {one['at']} | {one['action']} | {one['version'] or ''} | {_cell(one['reason'])} |" for one in status["decisions"][:10]]
    page = settings.gateway_url
    lines = [
        f"# {pipeline}: {status['phase']}, epoch {status['epoch']}",
        *who,
        *(["", "| outcome | gate | why |", "|---|---|---|", *evidence] if evidence else []),
        *(["", "| at | decision | version | why |", "|---|---|---|---|", *decisions] if decisions else []),
        *([f"\n[The gateway's page]({page})"] if page else []),
    ]
    create_markdown_artifact("\n".join(lines), key=key(pipeline, "rollout"), description=f"Where the rollout of {pipeline} stands")


def link(pipeline: str, what: str, url: str, text: str) -> None:
    """Publish a link, such as to a version in MLflow."""
    create_link_artifact(url, link_text=text, key=key(pipeline, what), description=text)


def docs(pipeline: str, page: Path | None) -> None:
    """Publish where the Data Docs of a batch are."""
    if page is not None:
        create_link_artifact(page.as_uri(), link_text="Data Docs of this batch", key=key(pipeline, "data-docs"))


def _version(model: dict[str, Any] | None) -> str:
    return "none" if model is None else f"version {model['version']} (snapshot {model['snapshot']})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
