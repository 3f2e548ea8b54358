"""Puts all guesses about a sample together into a pipeline's spec, and says why."""

from __future__ import annotations

import difflib
import glob
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from contracts.columns import EVENT_TIME, RESERVED
from contracts.duration import format_duration, parse_duration
from contracts.errors import UsageError
from contracts.spec import PipelineSpec
from understudy.init.checks import propose_checks
from understudy.init.decided import Decided, LeftOut
from understudy.init.kinds import Feature, guess_key, sort_columns
from understudy.init.leaks import find_leaks
from understudy.init.naive import naive_error, rounded
from understudy.init.rhythm import Rhythm, find_rhythm
from understudy.init.task import guess_task
from understudy.init.times import TimeGuess, guess_time

if TYPE_CHECKING:
    import pandas as pd

    from contracts.package import Task
    from understudy.init.sample import Sample

_SLACK = 0.02  # how much worse a loss may be, as a share of what knowing nothing costs
_METRIC = {"regression": "mae", "binary": "log_loss", "multiclass": "log_loss"}
_LOSS = {"regression": "absolute_error", "binary": "log_loss", "multiclass": "log_loss"}
_ESTIMATOR = "sklearn.ensemble.HistGradientBoosting"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pipeline as proposed.

    Attributes:
        spec: what pipeline.yaml must say, durations as text.
        features: the columns the model sees, in the file's order.
        left_out: the columns it does not see; leaks first.
        suspects: features worth a question, with the reason.
        decided: every guess with its reason, in the order of pipeline.yaml.
        rows: of the sample.
        first, last: event times of the sample.
    """

    spec: dict[str, Any]
    features: list[Feature]
    left_out: list[LeftOut]
    suspects: dict[str, str]
    decided: list[Decided]
    rows: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class _Guesses:
    """What was found in the sample, before it becomes a spec."""

    task: Task
    time: TimeGuess
    key: list[str]
    features: list[Feature]
    rhythm: Rhythm
    naive: float
    checks: dict[str, Any]


def propose(name: str, sample: Sample, target: str, asked_times: tuple[str, ...], asked_task: Task | None) -> Proposal:
    """Return a pipeline for a sample.

    Args:
        name: of the pipeline.
        sample: all rows of a file.
        target: the column to predict.
        asked_times: columns of the time; empty to look for one.
        asked_task: what is predicted; None to guess.

    Raises:
        UsageError: something cannot be guessed; says what to do.
        SpecError: a row's time cannot be read.
    """
    _refuse_names(sample, target, asked_times)
    task, task_why = guess_task(sample.frame[target], asked_task)
    time = guess_time(sample.frame, asked_times, target, sample.path)
    rows = _in_order(sample, time, target)
    key, key_why = guess_key(sample.frame, {target, *time.names})
    features, left_out = sort_columns(sample.frame, {target, *key, *_not_features(sample.frame, time)})
    leaks, suspects = find_leaks(rows, target, [one.column for one in features], task)
    features = [one for one in features if one.column not in leaks]
    out = [*(LeftOut(column, why, leak=True) for column, why in leaks.items()), *left_out]
    if not features:
        raise UsageError(f"{sample.path} has no column that could be a feature{_reasons(out)}.", "Give a file with more columns.")
    times = rows[EVENT_TIME]
    rhythm = find_rhythm(times)
    found = _Guesses(task, time, key, features, rhythm, _naive(rows, target, rhythm, task), propose_checks(times, rhythm.stale))
    return Proposal(
        spec=_spec(name, sample, target, found),
        features=features,
        left_out=out,
        suspects=suspects,
        decided=_decided(found, task_why, key_why, times),
        rows=len(sample.frame),
        first=times.iloc[0].to_pydatetime(),
        last=times.iloc[-1].to_pydatetime(),
    )


def checked_spec(one: Proposal) -> PipelineSpec:
    """Return the proposed spec as the schema reads it."""
    return PipelineSpec.model_validate(one.spec)


def _reasons(left_out: list[LeftOut]) -> str:
    return ": " + "; ".join(f"'{one.column}': {one.why}" for one in left_out[:5]) if left_out else ""


def _refuse_names(sample: Sample, target: str, asked_times: tuple[str, ...]) -> None:
    names = [str(name) for name in sample.frame.columns]
    if target not in names:
        close = difflib.get_close_matches(target, names, 1)
        hint = f"Did you mean '{close[0]}'?" if close else f"It has: {', '.join(names[:20])}."
        raise UsageError(f"{sample.path} has no column '{target}'.", hint)
    if target in asked_times:
        raise UsageError(f"'{target}' is named as target and as time.", "A time is known beforehand; name another column.")
    taken = [name for name in RESERVED if name in names and (name == target or name not in asked_times)]
    if taken:
        raise UsageError(
            f"{sample.path} has a column '{taken[0]}', a name used by Understudy itself.",
            "Rename it, or where it is the time, name it with --time.",
        )


def _in_order(sample: Sample, time: TimeGuess, target: str) -> pd.DataFrame:
    """Labelled rows with their event time, in its order; the times are read just as an ingest will read them."""
    from adapters.sources.times import event_times
    from contracts.spec import Columns

    # features play no part in reading times, but the schema wants one
    columns = Columns.model_validate({**_time_keys(time), "target": target, "features": {"numeric": [f"not {target}"]}})
    times = event_times(sample.frame, columns, str(sample.path))
    return sample.frame.assign(**{EVENT_TIME: times}).dropna(subset=[target]).sort_values(EVENT_TIME, kind="stable", ignore_index=True)


def _time_keys(time: TimeGuess) -> dict[str, Any]:
    if len(time.names) > 1:
        return {"time": {"from": time.names, "format": time.pattern}}
    return {"time": time.names[0], "time_format": time.pattern} if time.pattern else {"time": time.names[0]}


def _not_features(frame: pd.DataFrame, time: TimeGuess) -> set[str]:
    """Of the time's columns those that name a moment; an hour or a month of its own is a good feature."""
    import pandas as pd

    return {name for name in time.names if len(time.names) == 1 or not pd.api.types.is_integer_dtype(frame[name].dtype)}


def _naive(rows: pd.DataFrame, target: str, rhythm: Rhythm, task: str) -> float:
    edge = rows[EVENT_TIME].iloc[-1] - parse_duration(rhythm.holdout)
    fitted = rows[EVENT_TIME] <= edge
    if rhythm.window != "all":
        fitted &= rows[EVENT_TIME] > edge - parse_duration(rhythm.window)
    return naive_error(rows.loc[fitted, target], rows.loc[rows[EVENT_TIME] > edge, target], task)


def _spec(name: str, sample: Sample, target: str, found: _Guesses) -> dict[str, Any]:
    rhythm, metric = found.rhythm, _METRIC[found.task]
    limit = rounded(found.naive, 3, up=True)
    by_kind = {kind: [one.column for one in found.features if one.kind == kind] for kind in ("numeric", "categorical")}
    return {
        "name": name,
        "task": found.task,
        "clock": "wall",
        "source": {"kind": "file", "path": glob.escape(str(sample.path)), "delimiter": sample.delimiter},
        "columns": {**_time_keys(found.time), "key": found.key, "target": target, "label_delay": "0s", "features": by_kind},
        "train": {
            "window": rhythm.window,
            "holdout": rhythm.holdout,
            "estimator": _ESTIMATOR + ("Regressor" if found.task == "regression" else "Classifier"),
        },
        "checks": {"suite": "suite.json", "max_quarantined": 0.01, **found.checks},
        "gates": [*([{"metric": metric, "max": limit}] if limit else []), {"metric": metric, "max_regression": 0.05}],
        "rollout": {
            "alpha": 0.05,
            "stages": [
                {
                    "kind": "shadow",
                    "loss": _LOSS[found.task],
                    "block": rhythm.block,
                    "margin": rounded(_SLACK * found.naive, 2),
                    "rehearse": rhythm.rehearse,
                    "max_duration": rhythm.max_duration,
                }
            ],
            "guardrails": {"error_rate": 0.001},
            "watch": rhythm.watch,
            "promotion": "automatic",
        },
        "schedule": {"retrain": rhythm.retrain, "rollout": "*/5 * * * *", "monitor": "0 * * * *"},
        "monitors": {
            "window": rhythm.monitored,
            "error_block": rhythm.block,
            "max_age": rhythm.max_age,
            "cooldown": rhythm.cooldown,
        },
    }


def _decided(found: _Guesses, task_why: str, key_why: str, times: pd.Series) -> list[Decided]:
    rhythm, span = found.rhythm, times.iloc[-1] - times.iloc[0]
    held_out = int((times > times.iloc[-1] - parse_duration(rhythm.holdout)).sum())
    step = format_duration(timedelta(seconds=round(times.drop_duplicates().diff().dt.total_seconds().median())))
    return [
        Decided("task", found.task, task_why),
        Decided("columns.time", " + ".join(found.time.names), found.time.why),
        Decided("columns.key", found.key, key_why),
        Decided("train.window", rhythm.window, f"the rows span {span.days} days"),
        Decided("train.holdout", rhythm.holdout, f"the newest {held_out} of {len(times)} rows"),
        Decided(f"gates.{_METRIC[found.task]}", rounded(found.naive, 3, up=True), "what knowing nothing reaches on the rows held out"),
        Decided("rollout.block", rhythm.block, f"rows are {step} apart"),
        Decided("schedule.retrain", rhythm.retrain, f"suits blocks of {rhythm.block}"),
    ]
