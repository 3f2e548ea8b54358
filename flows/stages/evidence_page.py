"""What somebody who approves a promotion must see: who stands against whom, every verdict with its limit, and the plot."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.rollout import Act, DecisionRecord, RolloutState
from contracts.verdict import Verdict
from flows.stages.plots import confidence_png
from flows.stages.recall import confidence_path


@dataclass(frozen=True, slots=True)
class EvidencePage:
    """The same in Markdown twice: in few lines for beside a form, and whole, with the plot inside it."""

    short: str
    whole: str


def evidence_page(settings: Settings, pipeline: Pipeline, ledger: Ledger, version: str) -> EvidencePage | None:
    """Return what stands behind the question about a version, or None where nobody is asked about it."""
    name = pipeline.spec.name
    state = ledger.state(name)
    question = next((one for one in ledger.decisions(name) if one.act is Act.ASK), None)
    if question is None or state.approval is None or state.candidate is None or state.candidate.version != version:
        return None
    head = _head(state, question)
    brief = [f"- **{one.outcome.name}** {one.reason}" for one in question.verdicts]
    short = [*head, "", *brief, "", "The whole evidence with its plot is among the artifacts of this run."]
    title = f"# May version {version} of {name} become champion?"
    whole = [title, "", *head, "", *_live(question), *_plot(settings, pipeline, ledger, question), *_offline(ledger, state), *_else(name)]
    return EvidencePage("\n".join(short), "\n".join(whole))


def _head(state: RolloutState, question: DecisionRecord) -> list[str]:
    candidate, champion, asked = state.candidate, state.champion, state.approval
    if candidate is None or champion is None or asked is None:
        raise ValueError("nobody is asked")
    return [
        f"Version {candidate.version} of {state.pipeline} would replace version {champion.version}. It was fitted on snapshot "
        f"`{candidate.snapshot}`, with rows up to {candidate.cutoff:%Y-%m-%d %H:%M}. Asked at {question.at:%Y-%m-%d %H:%M} UTC; on the "
        f"pipeline's clock it is {question.clock:%Y-%m-%d %H:%M}, and an answer is awaited until **{asked.expires_at:%Y-%m-%d %H:%M}**.",
    ]


def _live(question: DecisionRecord) -> list[str]:
    return ["## Live evidence", "", *_table(question.verdicts), ""]


def _offline(ledger: Ledger, state: RolloutState) -> list[str]:
    known = ledger.submissions(state.pipeline, waiting=False)
    gates = next((one.gates for one in known if state.candidate and one.model.version == state.candidate.version), ())
    return ["## Offline gates", "", *_table(gates), ""] if gates else []


def _table(verdicts: tuple[Verdict, ...]) -> list[str]:
    rows = [
        f"| {one.outcome.name} | {one.gate} | {_number(one.observed)} | {_number(one.lower)} | {_number(one.upper)} | {_number(one.limit)} "
        f"| {one.samples} | {one.reason.replace('|', '/')} |"
        for one in verdicts
    ]
    return ["| outcome | gate | observed | lower | upper | limit | samples | why |", "|---|---|---|---|---|---|---|---|", *rows]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _plot(settings: Settings, pipeline: Pipeline, ledger: Ledger, question: DecisionRecord) -> list[str]:
    steps = confidence_path(settings, pipeline, ledger, question)
    if steps is None or not steps.blocks:
        return []
    picture = base64.b64encode(confidence_png(steps)).decode()
    return [f"![the confidence sequence behind it](data:image/png;base64,{picture})", ""]


def _else(name: str) -> list[str]:
    return [f"Without this form: `understudy promote {name} --reason …` or `understudy abort {name} --reason …`."]
