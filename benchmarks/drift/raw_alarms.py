"""What alarms on inputs would say, week by week: the usual ones against all training rows, and ours against the same season."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from scipy.stats import ks_2samp

from contracts.columns import EVENT_TIME
from contracts.events import Severity
from contracts.spec import PipelineSpec
from monitoring.data_drift import data_drift
from monitoring.reference import same_season, thinned
from stats.psi import psi, psi_categories

_PSI, _ALPHA = 0.25, 0.05


@dataclass(frozen=True, slots=True)
class Week:
    """One look: whether any column alarms by each rule."""

    at: datetime
    psi: bool
    ks: bool
    warned: bool


def weekly(spec: PipelineSpec, rows: pd.DataFrame, looks: Sequence[datetime], start: datetime) -> list[Week]:
    """Return what each rule says of the week before each look.

    Args:
        rows: the history. looks: ends of weeks. start: the model was fitted on the rows before.
    """
    window = spec.train.window
    since = start - window if isinstance(window, timedelta) else rows[EVENT_TIME].min()
    trained = rows[(rows[EVENT_TIME] > since) & (rows[EVENT_TIME] <= start)]
    return [
        _week(spec, trained, rows[(rows[EVENT_TIME] > at - timedelta(days=7)) & (rows[EVENT_TIME] <= at)], at) for at in looks if at > start
    ]


def _week(spec: PipelineSpec, trained: pd.DataFrame, week: pd.DataFrame, at: datetime) -> Week:
    features = spec.columns.features
    numeric = [name for name in features.numeric if week[name].notna().any()]
    index = [psi(trained[name].to_numpy(dtype=float), week[name].to_numpy(dtype=float)) for name in numeric]
    index += [psi_categories(trained[name].to_numpy(), week[name].to_numpy()) for name in features.categorical]
    least = min((ks_2samp(trained[name], week[name], method="asymp").pvalue for name in numeric), default=1.0)
    season = trained[same_season(trained[EVENT_TIME], week[EVENT_TIME], spec.monitors.min_rows)]
    limits = spec.monitors.model_copy(update={"min_rows": min(spec.monitors.min_rows, 100)})  # a week of bike rentals has 168 rows
    ours = data_drift(thinned(season), thinned(week), features, limits)
    return Week(at, max(index) > _PSI, bool(least * len(numeric) < _ALPHA), any(one.severity is not Severity.INFO for one in ours))
