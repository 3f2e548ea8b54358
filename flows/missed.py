"""After downtime the runs that a schedule missed become one run, or none: `schedule.catch_up` says which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from adapters.pipeline_files import list_pipelines, load_pipeline
from adapters.prefect_api import Planned, PrefectApi
from adapters.settings import Settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

Rule = Literal["one", "none"]
LATE = timedelta(minutes=2)  # a run that starts later than this after its time was missed
TAG = "understudy"  # of every deployment of ours
_NAME = "Missed"  # of the state of a run that is dropped


def superfluous(due: Iterable[Planned], rule: Rule, now: datetime) -> list[Planned]:
    """Return those of one deployment's due runs that need not be done: what is done once now does for all.

    Args:
        due: runs of one deployment that were to start by now; those that somebody asked for are never dropped.
    """
    by_schedule = sorted((one for one in due if one.by_schedule and one.at <= now), key=lambda one: one.at)
    if rule == "one":
        return by_schedule[:-1]
    return [one for one in by_schedule if now - one.at > LATE]


def drop_missed(api: PrefectApi, settings: Settings, now: datetime | None = None) -> dict[str, int]:
    """Apply each pipeline's rule to what its deployments missed; return how many runs were dropped, by flow and pipeline."""
    now, dropped = now or datetime.now(UTC), {}
    planned = api.planned(TAG, before=now)
    for name in list_pipelines(settings):
        rule = load_pipeline(settings, name).spec.schedule.catch_up
        due = [one for one in planned if name in one.tags]
        for deployment in {one.deployment for one in due}:
            gone = superfluous([one for one in due if one.deployment == deployment], rule, now)
            _drop(api, gone, "Its time passed while nothing was up.")
            if gone:
                dropped[" ".join(sorted(set(gone[0].tags) - {TAG}))] = len(gone)
    return dropped


def stands_for_missed(settings: Settings, rule: Rule) -> State | None:
    """Let the flow run that calls this stand for every run that its deployment missed before it.

    Returns:
        The state to end in where this run itself came too late and the rule is `none`; None where it goes on.
    """
    from prefect.context import FlowRunContext
    from prefect.states import Cancelled

    context, now = FlowRunContext.get(), datetime.now(UTC)
    run = context.flow_run if context else None
    if run is None or not run.auto_scheduled or run.expected_start_time is None or now - run.expected_start_time < LATE:
        return None
    if rule == "none":
        return Cancelled(
            name=_NAME, message=f"It was to start at {run.expected_start_time:%Y-%m-%d %H:%M} UTC; the next one comes at its time."
        )
    with PrefectApi(settings.prefect_api_url or "", settings.prefect_auth) as api:
        others = [one for one in api.planned(TAG, str(run.deployment_id), now) if one.by_schedule and one.run.id != str(run.id)]
        _drop(api, others, f"Run {run.name} does it for all that were missed.")
    return None


def _drop(api: PrefectApi, gone: Sequence[Planned], message: str) -> None:
    for one in gone:
        api.drop(one.run.id, _NAME, message)
