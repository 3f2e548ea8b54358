"""Registers one deployment of each flow for each pipeline, the same as `prefect deploy` from deployments/prefect.yaml."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.pipeline_files import list_pipelines, load_pipeline
from adapters.settings import Settings
from contracts.errors import OutsideError
from contracts.spec import PipelineSpec

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule

POOL = "understudy"
FLOWS = ("retrain", "rollout", "monitor")
ENGINE = "understudy-engine"
_TAG = "understudy"


def deploy(settings: Settings) -> dict[str, str]:
    """Register every pipeline's deployments on the server in PREFECT_API_URL and remove those of pipelines that are gone.

    Returns:
        deployment name (`flow/pipeline`) → id.

    Raises:
        SpecError: a pipeline's files are wrong; nothing was changed.
        OutsideError: the server does not answer.
    """
    import asyncio

    specs = [load_pipeline(settings, name).spec for name in list_pipelines(settings)]
    return asyncio.run(_apply({f"{name}/{spec.name}": _deployment(name, spec) for spec in specs for name in FLOWS}))


async def _apply(deployments: dict[str, RunnerDeployment]) -> dict[str, str]:
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    done: dict[str, str] = {}
    try:
        async with get_client() as client:
            with suppress(ObjectAlreadyExists):  # deploying again changes nothing
                await client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=_template()))
            for name, one in deployments.items():
                done[name] = str(await one.aapply())
            await _remove_gone(client, done)
    except httpx.HTTPError as error:
        raise OutsideError(
            f"The Prefect server did not answer: {error}.", "Start one with `understudy up`, or set PREFECT_API_URL."
        ) from error
    return done


def _template() -> dict[str, Any]:
    from prefect.workers.process import ProcessWorker

    return ProcessWorker.get_default_base_job_template()


async def _remove_gone(client: Any, kept: dict[str, str]) -> None:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = await client.read_deployments(deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[_TAG])))
    for one in ours:
        if str(one.id) not in kept.values():
            await client.delete_deployment(one.id)


def _flow(name: str) -> Flow[..., Any]:
    import importlib

    found: Flow[..., Any] = getattr(importlib.import_module(f"flows.{name}"), name)
    return found


def _deployment(name: str, spec: PipelineSpec) -> RunnerDeployment:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import RunnerDeployment
    from prefect.types.entrypoint import EntrypointType

    waits = name == "retrain"
    strategy = ConcurrencyLimitStrategy.ENQUEUE if waits else ConcurrencyLimitStrategy.CANCEL_NEW
    made = _flow(name).to_deployment(
        name=spec.name,
        schedules=schedules(name, spec),
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=strategy),
        parameters={"pipeline": spec.name},
        description=_DESCRIPTIONS[name].format(pipeline=spec.name),
        tags=[_TAG, spec.name, name],
        enforce_parameter_schema=True,
        work_pool_name=POOL,
        job_variables={"command": ENGINE, "working_dir": str(Path.cwd())},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    if not isinstance(made, RunnerDeployment):
        raise TypeError("deployments are made outside of an event loop")
    return made


def schedules(name: str, spec: PipelineSpec) -> list[Schedule]:
    """Return the cron schedule of one flow, in UTC; inactive where time is what the data says: a replay starts its own runs."""
    from prefect.schedules import Cron

    line = getattr(spec.schedule, name)
    if line is None:
        return []
    more = {"cause": "schedule", "reason": f"scheduled: {line}", "actor": "cron"} if name == "retrain" else {}
    return [Cron(line, timezone="UTC", parameters=more, slug=name, active=spec.clock == "wall")]


_DESCRIPTIONS = {
    "retrain": "Pull fresh data of **{pipeline}**, check it, refit with pinned hyperparameters, pass the offline gates, ask for promotion.",
    "rollout": "One tick of the rollout of **{pipeline}**: look, judge, decide, save, act.",
    "monitor": "Hold the traffic of **{pipeline}** against what its champion was trained on.",
}
