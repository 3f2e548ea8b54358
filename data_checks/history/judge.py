"""All checks against the history that a pipeline asks for, in one answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.spec import PipelineSpec
from contracts.verdict import Verdict
from data_checks.history.association import association
from data_checks.history.distribution import distribution
from data_checks.history.freshness import freshness
from data_checks.history.gaps import gaps
from data_checks.history.saying import not_judged
from data_checks.history.volume import volume


@dataclass(frozen=True, slots=True)
class History:
    """What came before a batch.

    Attributes:
        rows: of the reference, with event_time, in its order; the columns that `history_columns` names. Empty where there is none.
        newest: the greatest event time that is known; None where there is none.
        now: the pipeline's clock; None where nothing tells it yet.
    """

    rows: pd.DataFrame
    newest: datetime | None
    now: datetime | None


def history_columns(spec: PipelineSpec) -> list[str]:
    """Return the columns of the reference that the checks need; none where no check needs it."""
    checks, columns = spec.checks, spec.columns
    if checks.distribution is not None or checks.association is not None:
        return [EVENT_TIME, *columns.features.all, columns.target]
    return [EVENT_TIME] if checks.volume is not None else []


def judge_history(spec: PipelineSpec, batch: pd.DataFrame, history: History, times: pd.Series | None = None) -> tuple[Verdict, ...]:
    """Return the verdicts of every check that `checks` asks for; a batch without rows is judged by its age alone.

    Args:
        spec: whose checks.
        batch: the rows that would become part of the next snapshot, with event_time.
        history: what came before.
        times: event times of all rows, where the batch holds only some of them, evenly spaced.
    """
    checks, found = spec.checks, list[Verdict]()
    times = batch[EVENT_TIME] if times is None else times
    newest = max([one for one in (history.newest, None if batch.empty else times.max()) if one is not None], default=None)
    if checks.freshness is not None and newest is not None:
        found.append(freshness(checks.freshness, newest, history.now))
    if batch.empty:
        return tuple(found)
    if checks.gaps is not None:
        found.append(gaps(checks.gaps, times, history.newest))
    return (*found, *_against_rows(spec, batch, times, history.rows))


def _against_rows(spec: PipelineSpec, batch: pd.DataFrame, times: pd.Series, reference: pd.DataFrame) -> list[Verdict]:
    checks, columns = spec.checks, spec.columns
    asked = {name: getattr(checks, name) for name in ("volume", "distribution", "association") if getattr(checks, name) is not None}
    if reference.empty:
        return [not_judged(name, "there is no snapshot before this batch.") for name in asked]
    found = list[Verdict]()
    if checks.volume is not None:
        found.append(volume(checks.volume, times, reference[EVENT_TIME], columns.timezone))
    if checks.distribution is not None:
        found += distribution(checks.distribution, batch, reference, [*columns.features.all, columns.target])
    if checks.association is not None:
        features, classes = columns.features.all, spec.task != "regression"
        found.append(association(checks.association, batch, reference, features, columns.target, classes=classes))
    return found
