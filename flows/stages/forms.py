"""The approval form in Prefect: one run waits for the question that the rollout asks, and none for a question that it asks no more."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.ledger import Ledger
from adapters.prefect_api import FlowRun, PrefectApi
from contracts.rollout import Act, DecisionRecord

FLOW = "approval"
_MOST = 5  # runs for one question: one that was cancelled or died without an answer is made again


@dataclass(frozen=True, slots=True)
class Forms:
    """What was found or done: the form that waits, what was withdrawn, and what a person should know."""

    waits: FlowRun | None = None
    withdrawn: tuple[FlowRun, ...] = ()
    trouble: str | None = None


def keep_forms(api: PrefectApi, ledger: Ledger, pipeline: str) -> Forms:
    """Make what Prefect shows follow what the ledger says; repeated, it changes nothing.

    Raises:
        UsageError: the deployment is not there.
        OutsideError: Prefect cannot be reached or refuses us.
    """
    records = ledger.decisions(pipeline)
    question = _question(ledger, pipeline, records)
    deployment = api.deployment(FLOW, pipeline)
    known = api.runs_by_key(deployment, f"{FLOW} {pipeline} ")
    prefix = None if question is None else _prefix(question)
    waiting = [one.run for one in known if one.state.kind == "PAUSED" and not (prefix and one.key.startswith(prefix))]
    for run in waiting:
        api.drop(run.id, "Withdrawn", f"Withdrawn: {records[0].reason}" if records else "Withdrawn.")
    if question is None or prefix is None:
        return Forms(None, tuple(waiting))
    own = [one for one in known if one.key.startswith(prefix)]
    if any(not one.state.ended for one in own):
        return Forms(next(one.run for one in own if not one.state.ended), tuple(waiting))
    if len(own) >= _MOST:
        return Forms(
            None, tuple(waiting), f"{_MOST} forms about version {question.version} ended without an answer; no further one is made"
        )
    made = api.create_run(deployment, {"pipeline": pipeline, "version": question.version}, f"{prefix}{len(own)}")
    return Forms(made, tuple(waiting))


def _question(ledger: Ledger, pipeline: str, records: list[DecisionRecord]) -> DecisionRecord | None:
    """Return the decision that asks, while nobody has answered."""
    asked = ledger.state(pipeline).approval
    if asked is None or asked.by is not None:
        return None
    return next((one for one in records if one.act is Act.ASK), None)


def _prefix(question: DecisionRecord) -> str:
    return f"{FLOW} {question.pipeline} {question.at.isoformat()} "
