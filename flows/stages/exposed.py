"""What a tick measures while users meet a candidate: answers, rewards and failures become verdicts and, for a bandit, shares."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from adapters import traffic_frames
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.traffic_holes import read_holes
from adapters.traffic_log import TrafficLog
from flows.stages.evidence import known_classes
from rollout.complete import complete
from rollout.exposed import Judged, Known, assess_exposed
from rollout.exposure import Exposure

_SLACK = timedelta(hours=1)  # between the clocks of this machine, the gateway's and the disk's


def hear_exposed(settings: Settings, pipeline: Pipeline, began: datetime, until: datetime | None = None) -> Known:
    """Read what the traffic log says since an exposure began.

    Args:
        began: on the wall clock.
        until: what was written later, on the wall clock, is not read.
    """
    log, since = TrafficLog(settings.traffic / pipeline.spec.name), began - _SLACK
    return Known(
        traffic_frames.answers(log, since, until),
        traffic_frames.feedback(log, since, until),
        traffic_frames.failures(log, since, until),
        read_holes(settings.traffic / pipeline.spec.name, began, until),
    )


def weigh_exposed(settings: Settings, pipeline: Pipeline, exposure: Exposure, known: Known, now: datetime) -> Judged:
    """Judge the candidate against the champion on what their users did.

    Raises:
        UnderstudyError: a package that says which classes a version knows is not to be had, or the rewards are not what the spec says.
    """
    spec = pipeline.spec
    classes = known_classes(settings, spec.task, exposure.judged, exposure.against)
    known_by = now - spec.columns.labels_due
    found = assess_exposed(exposure, known, spec.rollout, spec.task, spec.columns.target, classes, known_by)
    return replace(found, verdicts=(*found.verdicts, *complete(known.holes, None, spec.rollout.on_hole)))
