"""The flow `monitor`: the champion's traffic is held against what it was trained on; what matters becomes one alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows import artifacts
from flows.missed import stands_for_missed
from flows.patience import step
from flows.wiring import open_world

if TYPE_CHECKING:
    from flows.stages.monitor import MonitorResult


@flow(name="monitor", flow_run_name="monitor {pipeline}")
def monitor(pipeline: str) -> Any:
    """Watch one pipeline's traffic, predictions and errors.

    Args:
        pipeline: a folder under pipelines/.
    """
    world = open_world(pipeline)
    if missed := stands_for_missed(world.settings, world.pipeline.spec.schedule.catch_up):
        return missed
    seen = watch(pipeline, str(flow_run.id))
    artifacts.findings(pipeline, seen.findings, seen.detail)
    get_run_logger().info("%d findings; %s", len(seen.findings), seen.detail)
    return seen.detail


@step("watch")
def watch(pipeline: str, run: str) -> MonitorResult:
    """Look, judge, and send an alert where one is due."""
    from flows.stages.monitor import monitor as look

    world = open_world(pipeline)
    return look(world.settings, world.pipeline, world.ledger, run)
