"""What comes next for a pipeline, and why: asked of Prefect, or, where it is not up, computed from the pipeline's cron lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from adapters.prefect_api import Planned, PrefectApi
from adapters.settings import Settings
from contracts.errors import OutsideError
from contracts.spec import PipelineSpec

FLOWS = ("retrain", "rollout", "monitor")
_SECONDS = 2.0  # a status must not wait for a server that does not answer
_TAG = "understudy"


@dataclass(frozen=True, slots=True)
class Coming:
    """One run to come.

    Attributes:
        at: in the zone of the pipeline's schedule.
        source: `prefect` where its server has the run already, `schedule` where the cron line alone says so.
    """

    at: datetime
    flow: str
    why: str
    source: str


def coming(settings: Settings, spec: PipelineSpec, now: datetime | None = None) -> list[Coming]:
    """Return what comes next, soonest first: each run that waits, and the next one of each schedule."""
    now = now or datetime.now(UTC)
    if settings.prefect_api_url is not None:
        try:
            with PrefectApi(settings.prefect_api_url, settings.prefect_auth, _SECONDS) as api:
                return planned(api.planned(spec.name), spec, now)
        except OutsideError:  # not up: the cron lines say the same, but for what waits
            pass
    return by_cron(spec, now)


def planned(runs: Iterable[Planned], spec: PipelineSpec, now: datetime) -> list[Coming]:
    """Return runs that the server has: all that somebody asked for or that are late, and of each flow the next by schedule."""
    found, seen = [], set()
    for one in runs:
        flow = next((name for name in FLOWS if name in one.tags), "")
        if not flow or _TAG not in one.tags:
            continue
        due = one.at <= now
        if one.by_schedule and not due and flow in seen:
            continue
        if one.by_schedule and not due:
            seen.add(flow)
        found.append(Coming(one.at.astimezone(ZoneInfo(spec.schedule.timezone)), flow, _why(one, flow, spec, due=due), "prefect"))
    return sorted(found, key=lambda each: each.at)


def by_cron(spec: PipelineSpec, now: datetime) -> list[Coming]:
    """Return the next time of each cron line; none where the pipeline's clock is its data's: nothing starts by the wall's."""
    from croniter import croniter

    if spec.clock == "event":
        return []
    zone = ZoneInfo(spec.schedule.timezone)
    lines = {flow: getattr(spec.schedule, flow) for flow in FLOWS}
    found = [
        Coming(croniter(line, now.astimezone(zone)).get_next(datetime), flow, _schedule(flow, spec), "schedule")
        for flow, line in lines.items()
        if line
    ]
    return sorted(found, key=lambda each: each.at)


def _schedule(flow: str, spec: PipelineSpec) -> str:
    return f"schedule {getattr(spec.schedule, flow)} ({spec.schedule.timezone})"


def _why(one: Planned, flow: str, spec: PipelineSpec, *, due: bool) -> str:
    asked = str(one.parameters.get("reason", "asked for"))
    why = _schedule(flow, spec) if one.by_schedule else asked
    return f"{why}; due, {one.state}" if due else why


def line(one: Coming) -> str:
    """Return one run to come as a line for people."""
    return f"  next {one.flow:<8} {one.at:%a %Y-%m-%d %H:%M %Z}: {one.why}"
