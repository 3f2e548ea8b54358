"""What time it is for a pipeline: the wall clock's, or the one that its own traffic tells."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.settings import Settings
from adapters.traffic_log import TrafficLog
from contracts.spec import PipelineSpec


def pipeline_now(settings: Settings, spec: PipelineSpec) -> datetime:
    """Return now on the pipeline's clock, in UTC.

    With `clock: event` it is the greatest event time in the traffic log; before any traffic the newest snapshot's watermark; before any
    data, and with `clock: wall` always, the wall clock's time.
    """
    if spec.clock == "wall":
        return datetime.now(UTC)
    return TrafficLog(settings.traffic / spec.name).watermark() or _data_watermark(settings, spec.name) or datetime.now(UTC)


def traffic_now(settings: Settings, spec: PipelineSpec) -> datetime | None:
    """Return the greatest event time that was ever answered for a pipeline with `clock: event`; None before any traffic, or by the wall."""
    return TrafficLog(settings.traffic / spec.name).watermark() if spec.clock == "event" else None


def _data_watermark(settings: Settings, name: str) -> datetime | None:
    from adapters.data_repo import DataRepo

    newest = DataRepo(settings).newest(name)
    return None if newest is None else newest.watermark
