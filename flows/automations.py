"""What Prefect's server does by itself: a run whose machine died is called Crashed, and people are told what happened."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from adapters.settings import Settings
from flows.notices import NOTICE, save_blocks

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.events.schemas.automations import AutomationCore

HEARTBEAT_SECONDS = 30  # the shortest that Prefect allows
_OURS = {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.understudy"}
_AT_WORK = ("heartbeat", "Running", "Retrying", "Cancelling")  # after these a living run says something again
_PREFIX = "understudy: "
_BROKE = ("Crashed", "Failed", "TimedOut")


async def settle_automations(client: PrefectClient, settings: Settings, start_seconds: float) -> list[str]:
    """Make the server's automations of ours what the settings ask for, and return their names; one that fits already is left alone.

    Args:
        start_seconds: how long a run may take from Pending to Running, which differs from pool to pool.
    """
    wanted = [*lost_runs(settings.lost_after, start_seconds), *told(await save_blocks(client, settings))]
    there = {one.name: one for one in await client.read_automations() if one.name.startswith(_PREFIX)}
    for one in wanted:
        found = there.pop(one.name, None)
        if found is None:
            await client.create_automation(one)
        elif _said(found) != _said(one):  # an update would forget which runs it watches
            await client.update_automation(found.id, one)
    for gone in there.values():
        await client.delete_automation(gone.id)
    return [one.name for one in wanted]


def lost_runs(lost_after: float, start_seconds: float) -> list[AutomationCore]:
    """Return what calls runs Crashed that fell silent: worker and run died together, so that nobody else can say it.

    Args:
        lost_after: seconds; none are returned where it is 0.
    """
    if not lost_after:
        return []
    return [
        _crash("runs that fell silent", _AT_WORK, lost_after, f"No heartbeat for {lost_after:g} s: the machine that did this run is gone."),
        _crash("runs that never began", ("Pending",), start_seconds, f"Taken up by a worker and not begun within {start_seconds:g} s."),
    ]


def _crash(name: str, after: tuple[str, ...], seconds: float, message: str) -> AutomationCore:
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    return AutomationCore(
        name=_PREFIX + name,
        description="A run that nobody does any more gives back its slot.",
        trigger=EventTrigger(
            after={f"prefect.flow-run.{one}" for one in after},
            expect={"prefect.flow-run.*"},
            match_related=_OURS,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[ChangeFlowRunState(name="Crashed", state=StateType.CRASHED, message=message, force=True)],
    )


def told(blocks: list[UUID]) -> list[AutomationCore]:
    """Return what tells people: of what our flows say happened, and of runs that broke."""
    if not blocks:
        return []
    return [
        _tell("what happened", {NOTICE + "*"}, {}, blocks, "{{ event.payload.subject }}", "{{ event.payload.body }}"),
        _tell(
            "runs that broke",
            {f"prefect.flow-run.{one}" for one in _BROKE},
            _OURS,
            blocks,
            "{{ flow_run.name }}: {{ flow_run.state.name }}",
            "{{ flow_run.state.message }}\n{{ flow_run|ui_url }}",
        ),
    ]


def _tell(name: str, events: set[str], related: dict[str, str], blocks: list[UUID], subject: str, body: str) -> AutomationCore:
    from prefect.events.actions import SendNotification
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    return AutomationCore(
        name=_PREFIX + name,
        description="Told to the addresses in UNDERSTUDY_NOTIFY_URL and UNDERSTUDY_NOTIFY_EMAIL.",
        trigger=EventTrigger(expect=events, match_related=related, posture=Posture.Reactive, threshold=1, within=timedelta(0)),
        actions=[SendNotification(block_document_id=one, subject=subject, body=body) for one in blocks],
    )


def _said(one: AutomationCore) -> dict[str, Any]:
    """Return what an automation says, in a form that can be compared: the server adds identifiers, and sets have no order."""
    content = one.model_dump(mode="json", include={"name", "description", "trigger", "actions", "enabled"})
    content["trigger"].pop("id", None)
    for key in ("after", "expect", "for_each"):
        content["trigger"][key] = sorted(content["trigger"][key])
    return content
