"""The flow `rollout`: one tick looks, judges, decides, saves and acts; it is followed through until there is nothing more to do."""

from __future__ import annotations

import time
from typing import Any

from prefect import flow, get_run_logger

from contracts.rollout import Act
from flows import artifacts, notices
from flows.missed import stands_for_missed
from flows.patience import step
from flows.wiring import open_world
from rollout.settle import settle

_SETTLE_SECONDS = 0.3  # gateways follow the ledger every 0.1 s


@flow(name="rollout", flow_run_name="rollout {pipeline}", retries=0)
def rollout(pipeline: str) -> Any:
    """Reconcile the rollout of one pipeline.

    Args:
        pipeline: a folder under pipelines/.
    """
    world = open_world(pipeline)
    if missed := stands_for_missed(world.settings, world.pipeline.spec.schedule.catch_up):
        return missed
    acts = follow_through(pipeline)
    ask_people(pipeline)
    publish(pipeline)
    return ", ".join(acts)


def follow_through(pipeline: str) -> list[Act]:
    """Tick until there is nothing more to do; return what was done."""
    return settle(lambda: Act(tick_once(pipeline)), lambda: time.sleep(_SETTLE_SECONDS))


@step("ask people")
def ask_people(pipeline: str) -> None:
    """Make the approval form, or withdraw it, as the ledger says."""
    from adapters.prefect_api import PrefectApi
    from flows.stages.forms import keep_forms

    world, log = open_world(pipeline), get_run_logger()
    if world.pipeline.spec.rollout.promotion == "automatic" or world.settings.prefect_api_url is None:
        return
    with PrefectApi(world.settings.prefect_api_url, world.settings.prefect_auth) as api:
        forms = keep_forms(api, world.ledger, pipeline)
    for one in forms.withdrawn:
        log.info("The form %s was withdrawn", one.url)
    if forms.waits is not None:
        log.info("A person is asked: %s", forms.waits.url)
        artifacts.link(pipeline, "form", forms.waits.url, "The form that waits for an answer: press Resume there")
    if forms.trouble is not None:
        log.warning(forms.trouble)


@step("tick")
def tick_once(pipeline: str) -> str:
    """Look, judge, decide, save, act."""
    from flows.stages.tick import tick

    world = open_world(pipeline)
    done = tick(world.settings, world.pipeline, world.registry, world.ledger)
    get_run_logger().info("%s: %s", done.decision.act.value, done.decision.reason)
    for one in done.outside:
        get_run_logger().warning(one)
    return done.decision.act.value


@step("publish evidence")
def publish(pipeline: str) -> None:
    """Show where the rollout stands as an artifact of the run."""
    from adapters.ledger.overview import overview

    world = open_world(pipeline)
    artifacts.rollout(pipeline, overview(world.ledger, pipeline), world.settings)
    notices.tell_decisions(pipeline, world.ledger.decisions(pipeline))
