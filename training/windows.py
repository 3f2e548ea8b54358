"""Several windows, one fit each with the same hyperparameters: the newest labelled rows before the holdout choose.

The rows that choose are neither among those a window's first fit has seen nor among the held-out ones. So what the offline gates and the
rehearsal judge on is as fresh to the chosen model as to one that had no choice. The chosen window is then fitted anew up to the holdout.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.duration import format_duration
from contracts.errors import UsageError
from contracts.spec import Params, PipelineSpec
from training.compare import row_losses
from training.model import ask_model, fit_model


@dataclass(frozen=True, slots=True)
class Tried:
    """What one window was worth.

    Attributes:
        loss: mean over the rows that choose; None where it could not be fitted, and `why`.
    """

    window: str
    fitted_rows: int
    loss: float | None
    why: str = ""


def within(rows: pd.DataFrame, edge: pd.Timestamp, window: timedelta | None) -> pd.DataFrame:
    """Return the rows in the window that ends at the edge; None is all before it."""
    times = rows[EVENT_TIME]
    return rows[times <= edge] if window is None else rows[(times <= edge) & (times > edge - window)]


def window_name(window: timedelta | None) -> str:
    """Return a window as pipeline.yaml has it: `180d`, or `all`."""
    if window is None:
        return "all"
    days = window / timedelta(days=1)
    return f"{days:.0f}d" if days.is_integer() else format_duration(window)


def choose_window(
    rows: pd.DataFrame, edge: pd.Timestamp, spec: PipelineSpec, params: Params, feature_code: str | None
) -> tuple[timedelta | None, tuple[Tried, ...]]:
    """Return the window with the least mean loss on the newest `train.choose_on` of the rows, and what each was worth.

    The first of equals wins; windows that hold the same rows are fitted once. A single window needs no choice.

    Args:
        rows: labelled, in order of time, none after the edge.
        edge: where the holdout begins.

    Raises:
        UsageError: no window could be fitted.
    """
    windows = spec.train.windows
    if len(windows) == 1:
        return windows[0], ()
    before, judges = edge - spec.train.chooses, rows[rows[EVENT_TIME] > edge - spec.train.chooses]
    by_rows: dict[int, Tried] = {}
    tried = []
    for window in windows:
        part = within(rows, before, window)
        if len(part) not in by_rows:
            by_rows[len(part)] = _try(part, judges, spec, params, feature_code)
        known = by_rows[len(part)]
        tried.append(Tried(window_name(window), len(part), known.loss, known.why))
    losses = [float("inf") if one.loss is None else one.loss for one in tried]
    if min(losses) == float("inf"):
        raise UsageError(f"No window of train.window could be fitted: {tried[0].why}", "Shorten train.choose_on, or wait for more rows.")
    return windows[losses.index(min(losses))], tuple(tried)


def _try(part: pd.DataFrame, judges: pd.DataFrame, spec: PipelineSpec, params: Params, feature_code: str | None) -> Tried:
    if part.empty or judges.empty:
        return Tried("", len(part), None, f"{len(part)} rows to fit and {len(judges)} to choose on.")
    try:
        model, types = fit_model(part, spec, params, feature_code)
    except UsageError as error:  # such as a class that a short window does not hold; another window may do
        return Tried("", len(part), None, error.message)
    said = ask_model(model, types, judges, spec, feature_code)
    return Tried("", len(part), float(row_losses(spec, judges, said).mean()))
