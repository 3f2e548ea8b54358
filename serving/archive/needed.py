"""What a pipeline's readers still need of its log: the rollout, the one that may begin next, labels to come, monitors, the shadow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.ledger import Ledger
from adapters.pipeline_files import load_pipeline
from adapters.settings import Settings
from adapters.traffic_closed import ClosedPart
from adapters.traffic_keeping import Needed
from adapters.traffic_log import TrafficLog
from contracts.rollout import Phase
from contracts.spec import PipelineSpec
from serving.shadow.place import Place, load_place, place_file

_SLACK = timedelta(hours=1)  # between clocks
_WEEK = timedelta(days=7)
_ALL = 1_000_000  # decisions


def needed_of(settings: Settings, ledger: Ledger, pipeline: str, now: datetime) -> Needed:
    """Return what is needed of a pipeline's log.

    Args:
        now: on the wall clock.

    Raises:
        UnderstudyError: the pipeline's files cannot be read.
        SQLAlchemyError: the ledger does not answer.
    """
    spec = load_pipeline(settings, pipeline).spec
    began = rollout_began(ledger, pipeline) or now
    back = reach(spec)
    shadow = ledger.state(pipeline).route.shadow
    place = None if shadow is None else load_place(place_file(settings, pipeline))
    if spec.clock == "wall":
        return Needed(min(began, now) - back - _SLACK, None, _unread(place))
    newest = TrafficLog(settings.traffic / pipeline).watermark()
    return Needed(min(began, now) - _SLACK, None if newest is None else newest - back, _unread(place))


def reach(spec: PipelineSpec) -> timedelta:
    """Return how far back from now, or from where a rollout began, anybody looks: a rehearsal, a label that is due, a monitor."""
    rehearsed = max(stage.rehearse for stage in spec.rollout.shadows)
    watched = spec.monitors.window + max(spec.monitors.window, _WEEK)
    attribution = max((stage.attribution for stage in spec.rollout.stages if stage.kind != "shadow"), default=timedelta())
    return max(rehearsed, watched) + max(spec.columns.labels_due, attribution)


def rollout_began(ledger: Ledger, pipeline: str) -> datetime | None:
    """Return when the rollout that is open began, on the wall clock, or None where none is."""
    if ledger.state(pipeline).phase is Phase.IDLE:
        return None
    began = None
    for one in ledger.decisions(pipeline, limit=_ALL):  # newest first: back to the last time it was idle
        if one.phase is Phase.IDLE:
            break
        began = one.at
    return began


def _unread(place: Place | None) -> Callable[[ClosedPart], bool]:
    """Return what tells whether the shadow has still to read a segment: what is behind its place, and not older than what it answers."""

    def tells(part: ClosedPart) -> bool:
        if place is None or place.offsets.get(f"{part.path.stem}.seg", 0) >= part.about.length:
            return False
        if place.since is None:
            return part.about.epochs is not None and part.about.epochs[1] >= place.epoch
        return part.about.happened is not None and part.about.happened[1] >= place.since

    return tells
