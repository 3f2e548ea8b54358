"""What every monitor says about the newest window: the log is read, each stream once, and held against the champion's own snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from adapters import traffic_frames
from adapters.data_repo import DataRepo
from adapters.ledger import Ledger
from adapters.model_cache import cached_manifest
from adapters.settings import Settings
from adapters.traffic_holes import read_holes
from adapters.traffic_log import TrafficLog
from contracts.columns import EVENT_TIME
from contracts.events import Finding
from contracts.rollout import GatewayView, ModelRef, ShadowView
from contracts.spec import PipelineSpec
from contracts.traffic import Hole
from flows.stages.held_out import held_out_answers
from monitoring import service
from monitoring.age import champion_age
from monitoring.data_drift import categories, data_drift, unseen_categories
from monitoring.error_drift import block_means, error_drift, expectation
from monitoring.multivariate_drift import multivariate_drift
from monitoring.outliers import outlier_share
from monitoring.prediction_drift import prediction_drift
from monitoring.reference import has_season, same_season, thinned
from monitoring.rewards import reward_drop
from monitoring.severity import graded
from monitoring.traffic import freshness, label_coverage, traffic_volume
from stats.losses import losses
from stats.truth import coded

_ROW = ["request_id", "row"]  # what identifies an answered row
_WEEK = timedelta(days=7)
_ALIVE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read for one look.

    Attributes:
        asked: features of the window's rows.
        answered: what users were answered, by whatever version, with labels and rewards known by `now`; from before the window on.
        trained: features of the champion's snapshot. held_out: its answers to the rows held out when it was fitted.
        failed: requests that failed by a fault of ours while the window's rows were answered.
        holes: when answers could not be logged, since the window's first row was.
        since, now: the window, on the pipeline's clock.
    """

    asked: pd.DataFrame
    answered: pd.DataFrame
    trained: pd.DataFrame
    held_out: pd.DataFrame
    failed: int
    since: datetime
    now: datetime
    holes: tuple[Hole, ...] = ()

    @property
    def window(self) -> pd.DataFrame:
        """What was answered in the window."""
        return self.answered[self.answered[EVENT_TIME] > self.since]

    @property
    def before(self) -> pd.DataFrame:
        """What was answered before it."""
        return self.answered[self.answered[EVENT_TIME] <= self.since]

    def by(self, champion: ModelRef) -> pd.DataFrame:
        """What the champion answered after its cutoff."""
        return self.answered[(self.answered["version"] == champion.version) & (self.answered[EVENT_TIME] > champion.cutoff)]


def look(
    settings: Settings, spec: PipelineSpec, ledger: Ledger, champion: ModelRef, in_office: datetime | None, seen: Seen
) -> tuple[Finding, ...]:
    """Return what every monitor says about the newest window, as loud as the spec's rules want it.

    Args:
        in_office: since when the champion answers users, on the pipeline's clock.
    """
    limits, now = spec.monitors, seen.now
    mine = seen.by(champion)
    recent = mine[mine[EVENT_TIME] > seen.since]
    newest = seen.answered[EVENT_TIME].max()
    steady = (
        *_errors(settings, spec, champion, seen.held_out, mine, now),
        *champion_age(in_office, now, limits.max_age),
        *traffic_volume(seen.window[EVENT_TIME], seen.before[EVENT_TIME], seen.trained[EVENT_TIME], (seen.since, now), limits),
        *freshness(None if pd.isna(newest) else newest.to_pydatetime(), now, limits),
        *label_coverage(recent, now - spec.columns.label_delay, spec.columns.label_delay, limits),
        *reward_drop(seen.window, seen.before, limits),
        *_service(spec, ledger, seen),
    )
    alike = has_season(seen.trained[EVENT_TIME], seen.asked[EVENT_TIME], limits.min_rows)
    inputs = (*_predictions(spec, seen.held_out, recent), *_inputs(spec, seen.trained, seen.asked))
    return (*graded(steady, limits.severity), *graded(inputs, limits.severity, same_season=alike))


def read(settings: Settings, spec: PipelineSpec, champion: ModelRef, now: datetime) -> Seen:
    """Read what a look needs.

    Args:
        now: the window ends there, on the pipeline's clock.

    Raises:
        OutsideError: the champion's data or package could not be fetched.
    """
    since = now - spec.monitors.window
    log = TrafficLog(settings.traffic / spec.name)
    on_wall = spec.clock == "wall"  # then nothing happened after it was written, and segments can be left out
    back = since - max(spec.monitors.window, _WEEK)
    written_since = min(back, champion.cutoff) if on_wall else None
    answered = _answered(log, min(back, champion.cutoff), now, written_since)
    window = answered[answered[EVENT_TIME] > since]
    return Seen(
        asked=_between(traffic_frames.features(log, since if on_wall else None, since), since, now),
        answered=answered,
        trained=_training_rows(settings, spec, champion),
        held_out=held_out_answers(settings, spec, champion),
        failed=_failed(log, window, since if on_wall else None),
        since=since,
        now=now,
        holes=_holes(settings.traffic / spec.name, window),
    )


def _between(rows: pd.DataFrame, since: datetime, now: datetime) -> pd.DataFrame:
    return rows[(rows[EVENT_TIME] > since) & (rows[EVENT_TIME] <= now)]


def _answered(log: TrafficLog, since: datetime, now: datetime, written_since: datetime | None) -> pd.DataFrame:
    """Return what users were answered, beside the labels and rewards that are known by now."""
    answered = _between(traffic_frames.answers(log, written_since), since, now)
    told = answered.merge(traffic_frames.feedback(log, written_since), on=_ROW, how="left")
    known = told["observed_at"] <= now  # on an event clock later ones are in the log already
    told["label"] = told["label"].where(known)
    told["reward"] = told["reward"].astype("object").where(known, None)
    return told


def _holes(folder: Path, window: pd.DataFrame) -> tuple[Hole, ...]:
    return () if window.empty else read_holes(folder, window["logged_at"].min().to_pydatetime())


def _failed(log: TrafficLog, window: pd.DataFrame, written_since: datetime | None) -> int:
    """Return how many requests failed while the window's rows were answered; a failure is known by when it was written only."""
    failed = traffic_frames.failures(log, written_since)
    if failed.empty or window.empty:
        return int(failed["request_id"].nunique()) if written_since is not None else 0
    return int(failed.loc[failed["logged_at"] >= window["logged_at"].min(), "request_id"].nunique())


def _training_rows(settings: Settings, spec: PipelineSpec, champion: ModelRef) -> pd.DataFrame:
    """Return the reference: the features of the rows that the champion was fitted on, and of its held-out rows."""
    repo, windows = DataRepo(settings), spec.train.windows
    since = champion.cutoff - windows[0] if windows[0] is not None else None
    if len(windows) > 1:  # the package says which was chosen
        said = cached_manifest(settings, champion).since
        since = None if said is None else datetime.fromisoformat(said)
    return repo.frame(repo.get(spec.name, champion.snapshot), [*spec.columns.features.all, EVENT_TIME], since)


def _inputs(spec: PipelineSpec, trained: pd.DataFrame, asked: pd.DataFrame) -> tuple[Finding, ...]:
    features, limits = spec.columns.features, spec.monitors
    season = trained if asked.empty else trained[same_season(trained[EVENT_TIME], asked[EVENT_TIME], limits.min_rows)]
    return (
        *data_drift(thinned(season), thinned(asked), features, limits),
        *unseen_categories(categories(trained, features.categorical), asked),
        *multivariate_drift(season, asked, features, limits, (season[EVENT_TIME], asked[EVENT_TIME])),
        *outlier_share(trained, asked, features, limits),
    )


def _predictions(spec: PipelineSpec, held_out: pd.DataFrame, answered: pd.DataFrame) -> tuple[Finding, ...]:
    if not (held_out.empty or answered.empty):
        held_out = held_out[same_season(held_out[EVENT_TIME], answered[EVENT_TIME], spec.monitors.min_rows)]
    return prediction_drift(_numbers(held_out["prediction"]), _numbers(answered["prediction"]), spec.monitors)


def _service(spec: PipelineSpec, ledger: Ledger, seen: Seen) -> tuple[Finding, ...]:
    window, limits = seen.window, spec.monitors
    views: dict[str, GatewayView | ShadowView] = {
        f"gateway {one.id}": one for one in ledger.gateways(spec.name, datetime.now(UTC) - _ALIVE)
    }
    shadow = ledger.shadow(spec.name)
    follows = ledger.state(spec.name).route.shadow
    if shadow is not None and follows is not None and shadow.version == follows.version:
        views[f"shadow of version {shadow.version}"] = shadow
    return (
        *service.latency(window["latency_ms"], limits),
        *service.unlogged(seen.holes),
        *service.failures(seen.failed, seen.failed + window["request_id"].nunique(), limits),
        *service.memory({name: view.memory_bytes for name, view in views.items()}, limits),
        *service.processors({name: view.processors for name, view in views.items()}, limits),
    )


def _errors(
    settings: Settings, spec: PipelineSpec, champion: ModelRef, held_out: pd.DataFrame, answered: pd.DataFrame, now: datetime
) -> tuple[Finding, ...]:
    return error_findings(spec, cached_manifest(settings, champion).classes, held_out, answered, now)


def error_findings(
    spec: PipelineSpec, classes: Sequence[object], held_out: pd.DataFrame, answered: pd.DataFrame, now: datetime
) -> tuple[Finding, ...]:
    """Return what the error monitor says of the champion.

    Args:
        classes: that the champion knows, in the order of its probabilities; empty for regression.
        held_out, answered: event_time, label (missing where there is none) and prediction of its held-out and of its live rows.
    """
    limits, loss = spec.monitors, spec.rollout.shadows[0].loss

    def per_row(rows: pd.DataFrame) -> tuple[pd.Series, NDArray[np.float64]]:
        truth = coded(rows["label"], classes)
        known = np.isfinite(truth)
        return rows[EVENT_TIME][known], losses(loss, truth[known], _numbers(rows["prediction"][known]))

    expected = expectation(block_means(*per_row(held_out), limits.error_block), limits)
    return error_drift(expected, *per_row(answered), loss, now - spec.columns.label_delay, limits)


def _numbers(predictions: pd.Series) -> NDArray[np.float64]:
    return np.array(predictions.tolist(), dtype=np.float64)
