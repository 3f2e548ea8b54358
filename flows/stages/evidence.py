"""What a tick measures: the traffic log is read, each stream once, and becomes verdicts and the steps behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd

from adapters import traffic_frames
from adapters.model_cache import cached_manifest
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from adapters.traffic_holes import read_holes
from adapters.traffic_log import TrafficLog
from contracts.confidence import ConfidenceSteps
from contracts.errors import UnderstudyError
from contracts.package import Task
from contracts.rollout import ModelRef
from contracts.verdict import Outcome, Verdict
from rollout.assess import Assessment, assess
from rollout.complete import complete, first_logged
from rollout.contest import Contest
from rollout.pairs import Heard
from rollout.rules import Rules

_SLACK = timedelta(hours=1)  # between the clocks of this machine, the gateway's and the disk's; and a little of the epoch before


def hear(settings: Settings, pipeline: Pipeline, contest: Contest, began: datetime, until: datetime | None = None) -> Heard:
    """Read what the traffic log says about two versions.

    Args:
        began: when the epoch began, on the wall clock. What was logged before any row that can count is not read; with `clock: event` a row
            of any age can count that happened after the cutoff.
        until: what was written later, on the wall clock, is not read.
    """
    log = TrafficLog(settings.traffic / pipeline.spec.name)
    back = timedelta() if contest.watching else max(stage.rehearse for stage in pipeline.spec.rollout.shadows)
    since = began - back - _SLACK
    replays = pipeline.spec.clock == "event"
    answers = traffic_frames.answers(log, since, until, contest.cutoff if replays else None)
    if replays:
        since = min(since, _first(answers) or since)
    return Heard(
        answers=answers,
        feedback=traffic_frames.feedback(log, since, until),
        judged=traffic_frames.shadow_answers(log, contest.judged.version, began - _SLACK, until),
        against=traffic_frames.shadow_answers(log, contest.against.version, since, until),
        failures=traffic_frames.failures(log, began - _SLACK, until),
        asked=lambda: traffic_frames.features(log, since, contest.cutoff),
        holes=read_holes(settings.traffic / pipeline.spec.name, None if replays else since, until),
    )


def _first(answers: pd.DataFrame) -> datetime | None:
    """Return when the first of some answers was logged: labels and answers in shadow come later."""
    first = answers["logged_at"].min()
    return None if pd.isna(first) else first.to_pydatetime() - _SLACK


def newest_event(answers: pd.DataFrame) -> datetime | None:
    """Return the greatest event time of what was read."""
    newest = answers["event_time"].max()
    return None if pd.isna(newest) else newest.to_pydatetime()


def weigh(settings: Settings, pipeline: Pipeline, contest: Contest, heard: Heard, rules: Rules, now: datetime) -> Assessment:
    """Judge one version against the other.

    Raises:
        UnderstudyError: a package that says which classes a version knows is not to be had, or the two cannot be compared.
    """
    task = pipeline.spec.task
    classes = known_classes(settings, task, contest.judged, contest.against)
    found = assess(contest, heard, rules, task, classes, now - pipeline.spec.columns.labels_due)
    holes = complete(heard.holes, first_logged(heard.answers, contest.cutoff), pipeline.spec.rollout.on_hole)
    return replace(found, verdicts=(*found.verdicts, *holes))


def known_classes(settings: Settings, task: Task, judged: ModelRef, against: ModelRef) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Return the classes that two versions know, in the order of their probabilities; none for regression."""
    return ((), ()) if task == "regression" else (_classes(settings, judged), _classes(settings, against))


def weighed(weigh: Callable[[], Assessment], at_work: Verdict) -> tuple[tuple[Verdict, ...], ConfidenceSteps | None]:
    """Return the verdicts of a tick and the steps behind them; a measurement that broke is an ERROR, not the end of the tick.

    Args:
        weigh: measures; what it raises is in the verdict.
        at_work: whether the version in shadow does its work.
    """
    try:
        found = weigh()
    except UnderstudyError as error:
        return (Verdict("measurement", Outcome.ERROR, None, None, 0, error.message), at_work), None
    return (*found.verdicts, at_work), found.steps


def _classes(settings: Settings, model: ModelRef) -> tuple[object, ...]:
    return cached_manifest(settings, model).classes
