"""Registers one deployment of each flow for each pipeline, the same as `prefect deploy` from deployments/prefect.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.pipeline_files import list_pipelines, load_pipeline
from adapters.settings import Settings
from contracts.errors import OutsideError
from contracts.queues import SCHEDULED
from contracts.spec import PipelineSpec
from flows.automations import settle_automations
from flows.missed import TAG
from flows.pools import Pool, pool, settle_pool

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule

FLOWS = ("retrain", "rollout", "monitor", "approval")


def deploy(settings: Settings, kind: str = "process", image: str | None = None) -> dict[str, str]:
    """Register every pipeline's deployments on the server in PREFECT_API_URL and remove those of pipelines that are gone.

    Args:
        kind: of the work pool that does the runs: process, docker or kubernetes.
        image: of its containers; the template's default when None.

    Returns:
        deployment name (`flow/pipeline`) → id.

    Raises:
        SpecError: a pipeline's files are wrong; nothing was changed.
        OutsideError: the server does not answer.
    """
    import asyncio

    specs = [load_pipeline(settings, name).spec for name in list_pipelines(settings)]
    chosen = pool(kind, image)
    made = {f"{name}/{spec.name}": _deployment(name, spec, chosen) for spec in specs for name in FLOWS}
    return asyncio.run(_apply(settings, chosen, made))


async def _apply(settings: Settings, chosen: Pool, deployments: dict[str, RunnerDeployment]) -> dict[str, str]:
    import httpx
    from prefect.client.orchestration import get_client

    done: dict[str, str] = {}
    try:
        async with get_client() as client:
            await settle_pool(client, chosen)
            for name, one in deployments.items():
                done[name] = str(await one.aapply())
            await _remove_gone(client, done)
            await settle_automations(client, settings, chosen.start_seconds)
    except httpx.HTTPError as error:
        raise OutsideError(
            f"The Prefect server did not answer: {error}.", "Start one with `understudy up`, or set PREFECT_API_URL."
        ) from error
    return done


async def _remove_gone(client: Any, kept: dict[str, str]) -> None:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = await client.read_deployments(deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG])))
    for one in ours:
        if str(one.id) not in kept.values():
            await client.delete_deployment(one.id)


def _flow(name: str) -> Flow[..., Any]:
    import importlib

    found: Flow[..., Any] = getattr(importlib.import_module(f"flows.{name}"), name)
    return found


def _deployment(name: str, spec: PipelineSpec, chosen: Pool) -> RunnerDeployment:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner.storage import LocalStorage
    from prefect.types.entrypoint import EntrypointType

    waits = name == "retrain"
    strategy = ConcurrencyLimitStrategy.ENQUEUE if waits else ConcurrencyLimitStrategy.CANCEL_NEW
    made = _flow(name).to_deployment(
        name=spec.name,
        schedules=schedules(name, spec),
        concurrency_limit=None if name == "approval" else ConcurrencyLimitConfig(limit=1, collision_strategy=strategy),
        parameters={"pipeline": spec.name},
        description=_DESCRIPTIONS[name].format(pipeline=spec.name),
        tags=[TAG, spec.name, name],
        enforce_parameter_schema=True,
        work_pool_name=chosen.name,
        work_queue_name=SCHEDULED,
        job_variables=chosen.job_variables,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    if not isinstance(made, RunnerDeployment):
        raise TypeError("deployments are made outside of an event loop")
    if chosen.code is not None:
        made.storage = LocalStorage(chosen.code)  # becomes the pull step that goes to this folder
    return made


def schedules(name: str, spec: PipelineSpec) -> list[Schedule]:
    """Return the cron schedule of one flow; inactive where time is what the data says: a replay starts its own runs."""
    from prefect.schedules import Cron

    line = getattr(spec.schedule, name, None)  # nobody is asked by the clock
    if line is None:
        return []
    more = {"cause": "schedule", "reason": f"scheduled: {line}", "actor": "cron"} if name == "retrain" else {}
    return [Cron(line, timezone=spec.schedule.timezone, parameters=more, slug=name, active=spec.clock == "wall")]


_DESCRIPTIONS = {
    "retrain": "Pull fresh data of **{pipeline}**, check it, refit with pinned hyperparameters, pass the offline gates, ask for promotion.",
    "rollout": "One tick of the rollout of **{pipeline}**: look, judge, decide, save, act.",
    "monitor": "Hold the traffic of **{pipeline}** against what its champion was trained on.",
    "approval": "Ask a person whether a candidate of **{pipeline}** may become champion: press Resume in a run to answer.",
}
