"""The flow `approval`: shows the evidence, suspends until a person has filled the form, and records the answer.

While it is suspended no process waits. The tick makes the run and withdraws it; see `flows.stages.forms`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from prefect import flow, get_run_logger, suspend_flow_run
from prefect.artifacts import create_markdown_artifact
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from contracts.events import IntentKind
from contracts.rollout import Act, DecisionRecord
from flows import artifacts
from flows.patience import step
from flows.rollout import follow_through, publish
from flows.wiring import open_world

if TYPE_CHECKING:
    from flows.stages.evidence_page import EvidencePage


class Answer(RunInput):
    """What the form asks."""

    answer: Literal["approve", "reject"] = Field(title="Answer", description="approve: it becomes champion; reject: the candidate goes.")
    name: str = Field(title="Your name", description="Kept with the decision for ever.", min_length=2, max_length=128)
    reason: str = Field(title="Why", description="In a sentence; kept with the decision for ever.", min_length=3, max_length=500)


@flow(name="approval", flow_run_name="approval {pipeline}, version {version}")
def approval(pipeline: str, version: Annotated[str, Field(max_length=32)]) -> Any:
    """Ask a person whether a candidate may become champion. The rollout starts this by itself; nobody has to.

    Args:
        pipeline: a folder under pipelines/.
        version: the candidate that the question is about.
    """
    page = None
    if int(flow_run.run_count) <= 1:  # resumed, the run begins anew
        page = evidence(pipeline, version)
        if page is None:
            return Completed(name="Withdrawn", message=f"Nobody is asked about version {version} of '{pipeline}'.")
        create_markdown_artifact(page.whole, key=artifacts.key(pipeline, "approval"), description=f"May version {version} become champion?")
    said = suspend_flow_run(wait_for_input=Answer.with_initial_data(description=page.short if page else None), key="answer")
    record = note(pipeline, version, said)
    if record.act is Act.APPROVE:
        follow_through(pipeline)
    publish(pipeline)  # and tell people now, not at the next tick
    names = {Act.APPROVE: "Approved", Act.ABORT: "Rejected"}
    return Completed(
        name=names.get(record.act, "Declined"), message=f"{record.act.value} by {record.actor}: {record.reason} (decision {record.id})"
    )


def evidence(pipeline: str, version: str) -> EvidencePage | None:
    """Return what a person must see who is asked about a version; None where nobody is."""
    from flows.stages.evidence_page import evidence_page

    world = open_world(pipeline)
    return evidence_page(world.settings, world.pipeline, world.ledger, version)


@step("note the answer")
def note(pipeline: str, version: str, said: Answer) -> DecisionRecord:
    """Record who said what and why, and decide."""
    from flows.stages.operator import answer

    world = open_world(pipeline)
    kind = IntentKind.APPROVE if said.answer == "approve" else IntentKind.ABORT
    wish = world.ledger.add_intent(pipeline, kind, said.name, said.reason, version)
    record, _ = answer(world.settings, world.pipeline, world.ledger, wish, lambda: world.registry.aliases(pipeline))
    get_run_logger().info("%s by %s: %s (decision %d)", record.act.value, record.actor, record.reason, record.id)
    return record
