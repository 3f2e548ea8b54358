"""Where runs are done: on machines of a worker, in Docker containers, in Kubernetes jobs; and the queues in front of each."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.queues import QUEUES
from flows.automations import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

ENGINE = "understudy-engine"
_PLACE = "/srv/understudy"  # of the pipelines, in the image
_BEATS = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}


@dataclass(frozen=True, slots=True)
class Pool:
    """One kind of work pool.

    Attributes:
        kind: Prefect's type of the pool.
        start_seconds: how long a run may take from Pending to Running: an image may have to be pulled first.
        code: folder that a run goes to first, where that is in an image.
    """

    kind: str
    name: str
    start_seconds: float
    job_variables: dict[str, Any]
    code: str | None = None

    def template(self) -> dict[str, Any]:
        """Return the base job template: Prefect's own for processes, ours for containers."""
        if self.kind == "process":
            from prefect.workers.process import ProcessWorker

            return ProcessWorker.get_default_base_job_template()
        found: dict[str, Any] = json.loads((files("flows") / "templates" / f"{self.kind}.json").read_text())
        return found


def pool(kind: str, image: str | None = None) -> Pool:
    """Return a pool by its kind: process, docker or kubernetes.

    Args:
        image: of the containers; the template's default when None.
    """
    if kind == "process":
        return Pool(kind, "understudy", 110.0, {"command": ENGINE, "working_dir": str(Path.cwd()), "env": _BEATS})
    variables = {"image": image} if image else {}  # everything else, the heartbeat too, is the template's
    return Pool(kind, f"understudy-{kind}", 900.0, variables, _PLACE)


async def settle_pool(client: PrefectClient, wanted: Pool) -> None:
    """Make the pool and its queues where they are missing; their priorities are set, everything else that people changed stays."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with suppress(ObjectAlreadyExists):  # deploying again changes nothing
        await client.create_work_pool(WorkPoolCreate(name=wanted.name, type=wanted.kind, base_job_template=wanted.template()))
    there = {one.name: one for one in await client.read_work_queues(work_pool_name=wanted.name)}
    for name, priority in QUEUES.items():
        if name not in there:
            await client.create_work_queue(name, priority=priority, work_pool_name=wanted.name)
        elif there[name].priority != priority:
            await client.update_work_queue(there[name].id, priority=priority)
