"""The flow `monitor`: the champion's traffic is held against what it was trained on; what matters becomes one alert."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from contracts.errors import UnderstudyError
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
    with TemporaryDirectory() as folder:
        seen = watch(pipeline, str(flow_run.id), Path(folder))
        try:
            keep_report(pipeline, seen, Path(folder))
        except (UnderstudyError, TimeoutError) as error:  # the findings are in the ledger
            get_run_logger().warning("The report of this run is not in the registry: %s", error)
    artifacts.findings(pipeline, seen.findings, seen.detail)
    get_run_logger().info("%d findings; %s", len(seen.findings), seen.detail)
    return seen.detail


@step("watch")
def watch(pipeline: str, run: str, report: Path) -> MonitorResult:
    """Look, judge, and send an alert where one is due; what was seen is written into a folder."""
    from flows.stages.monitor import monitor as look

    world = open_world(pipeline)
    return look(world.settings, world.pipeline, world.ledger, run, report)


@step("keep report")
def keep_report(pipeline: str, seen: MonitorResult, report: Path) -> None:
    """Put the report into the registry; where that is down for good the run goes on and says so."""
    if seen.champion is not None:
        open_world(pipeline).registry.keep_report(pipeline, seen.champion, report, seen.report_at)
