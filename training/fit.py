"""Which rows are fitted, which are held out, and the fit itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.errors import UsageError
from contracts.package import ColumnType, Manifest
from contracts.spec import Params, PipelineSpec
from training.model import fit_batches, fit_model
from training.package import package_files
from training.windows import Tried, choose_window, window_name, within


@dataclass(frozen=True, slots=True)
class Split:
    """Rows in time order: `fitted` reach as far back as any window, end at `cutoff` and at the edge; `held_out` begin after it."""

    fitted: pd.DataFrame
    held_out: pd.DataFrame
    cutoff: datetime
    edge: pd.Timestamp


@dataclass(frozen=True, slots=True)
class Streamed:
    """A window that is not in memory: its batches in order of time, anew at each call, and the first of the held-out rows."""

    batches: Callable[[], Iterator[pd.DataFrame]]
    rows: int
    since: datetime
    cutoff: datetime
    held_out: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model as a package, and the rows it has not seen.

    Attributes:
        window: the one that was fitted. tried: what each of several was worth; empty where the spec names one.
    """

    files: dict[str, bytes]
    held_out: pd.DataFrame
    cutoff: datetime
    fitted_rows: int
    window: str
    tried: tuple[Tried, ...] = ()


def split(frame: pd.DataFrame, spec: PipelineSpec) -> Split:
    """Hold out the newest `train.holdout` of a snapshot and keep before it what `train.window` can reach.

    Args:
        frame: a snapshot's rows with event_time, in any order.

    Raises:
        UsageError: nothing is left to fit on or to hold out.
    """
    rows = frame.dropna(subset=[spec.columns.target]).sort_values(EVENT_TIME, kind="stable")
    if rows.empty:
        raise no_label()
    edge = rows[EVENT_TIME].iloc[-1] - spec.train.holdout
    held_out, fitted = rows[rows[EVENT_TIME] > edge], within(rows, edge, spec.train.reach)
    if fitted.empty:
        raise held_out_all(spec)
    if held_out.empty:
        raise held_out_none(spec)
    return Split(fitted, held_out, fitted[EVENT_TIME].iloc[-1].to_pydatetime(), edge)


def no_label() -> UsageError:
    """Return the error that there is nothing to learn from."""
    return UsageError("The snapshot has no labelled row.", "Ingest more data, or check columns.target.")


def held_out_all(spec: PipelineSpec) -> UsageError:
    """Return the error that nothing is left to fit on."""
    return UsageError(
        f"train.holdout ({spec.train.holdout}) holds out every row of the snapshot.", "Shorten train.holdout, or ingest a longer history."
    )


def held_out_none(spec: PipelineSpec) -> UsageError:
    """Return the error that nothing is left to judge on."""
    return UsageError(f"train.holdout ({spec.train.holdout}) holds out no row of the snapshot.", "Lengthen train.holdout.")


def fit(frame: pd.DataFrame, spec: PipelineSpec, params: Params, feature_code: str | None) -> Fit:
    """Fit the spec's estimator; the same rows, spec and parameters give the same bytes.

    Where the spec names several windows, the rows before the holdout choose one, and it is fitted anew up to the holdout.
    """
    return fit_split(split(frame, spec), spec, params, feature_code)


def fit_split(parts: Split, spec: PipelineSpec, params: Params, feature_code: str | None) -> Fit:
    """Fit the spec's estimator on rows that are split already."""
    window, tried = choose_window(parts.fitted, parts.edge, spec, params, feature_code)
    rows = within(parts.fitted, parts.edge, window)
    model, types = fit_model(rows, spec, params, feature_code)
    files = package_files(model, _manifest(spec, model, types, parts.cutoff, rows[EVENT_TIME].iloc[0]), feature_code)
    return Fit(files, parts.held_out, parts.cutoff, len(rows), window_name(window), tried)


def fit_streamed(streamed: Streamed, spec: PipelineSpec, params: Params, feature_code: str | None) -> Fit:
    """Fit the spec's estimator batch by batch on a window that is not in memory; the same rows in memory give the same bytes."""
    model, types = fit_batches(streamed.batches, spec, params, feature_code)
    files = package_files(model, _manifest(spec, model, types, streamed.cutoff, streamed.since), feature_code)
    return Fit(files, streamed.held_out, streamed.cutoff, streamed.rows, window_name(spec.train.windows[0]))


def _manifest(spec: PipelineSpec, model: Any, types: dict[str, ColumnType], cutoff: datetime, since: datetime) -> Manifest:
    return Manifest(
        pipeline=spec.name,
        task=spec.task,
        target=spec.columns.target,
        columns=types,
        features=spec.train.features,
        classes=() if spec.task == "regression" else tuple(model.classes_.tolist()),
        cutoff=cutoff.isoformat(),
        since=since.isoformat(),
    )
