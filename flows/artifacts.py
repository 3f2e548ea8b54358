"""What a run shows in the Prefect UI: checks, gates, evidence and drift as tables, and links onwards."""

from __future__ import annotations

import html
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from adapters.settings import Settings
from contracts.check_line import HEADS, CheckLine, worst_first
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


def docs(pipeline: str, checks: Sequence[CheckLine], page: Path | None) -> None:
    """Publish what the checks said of a batch, line by line, and where its Data Docs are.

    The page is a file, and a browser follows no link from Prefect's pages to one: all that failed stands in the artifact itself.
    """
    if checks:
        create_markdown_artifact(docs_page(checks, page), key=key(pipeline, "data-docs"), description="What the checks said of this batch")


def docs_page(checks: Sequence[CheckLine], page: Path | None) -> str:
    """Return the checks of a batch as Markdown, what fails first; what holds is counted."""
    shown = [one for one in worst_first(checks) if one.outcome != "pass"]
    lines = [f"{len(checks)} checks, {len(checks) - len(shown)} of them hold."]
    if shown:
        lines += ["", _row((*HEADS, "why")), _row(["---"] * (len(HEADS) + 1))]
        lines += [_row((*one.facts, ", ".join(one.examples), one.reason)) for one in shown]
    if page is not None:
        lines += ["", f"The whole page (Data Docs) is a file on the machine of this run, `{socket.gethostname()}`:", "", f"`{page}`", ""]
        lines += ["Open that path in a browser there, or copy the file and open the copy; a link from here to a file would be blocked."]
        lines += ["MLflow keeps a copy with each version that is fitted on these rows."]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_cell(html.escape(one, quote=False)) for one in cells)} |"


def _version(model: dict[str, Any] | None) -> str:
    return "none" if model is None else f"version {model['version']} (snapshot {model['snapshot']})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
