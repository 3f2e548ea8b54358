"""Pictures of an evaluation that the registry keeps with a version, and of the evidence that a person is shown."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.package import Task

if TYPE_CHECKING:
    from contracts.confidence import ConfidenceSteps

_COLOURS = {"candidate": "#0b7285", "champion": "#c2410c"}
_BINS = 10


def draw_evaluation(task: Task, answers: pd.DataFrame, over_time: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw the loss over held-out time, and predicted against actual (regression) or calibration (classes).

    Args:
        task: what is predicted.
        answers: truth and answers by row, as the evaluation wrote them.
        over_time: mean losses by time.
        folder: where the PNG files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    models = [name for name in _COLOURS if f"{name}_answer" in answers]
    if task == "regression":
        second = _save(folder / "predicted_against_actual.png", lambda axes: _predicted(axes, answers, models))
    else:
        second = _save(folder / "calibration.png", lambda axes: _calibration(axes, answers, models))
    return [_save(folder / "error_over_time.png", lambda axes: _over_time(axes, over_time, models)), second]


def confidence_png(steps: ConfidenceSteps) -> bytes:
    """Draw a confidence sequence of the paired loss against its limit; a PNG of a few kilobytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 2.4), dpi=90, layout="constrained")
    axes = figure.subplots()
    axes.fill_between(steps.blocks, steps.lower, steps.upper, color=_COLOURS["candidate"], alpha=0.18, lw=0)
    axes.plot(steps.blocks, steps.mean, color=_COLOURS["candidate"], lw=1.8)
    axes.axhline(-steps.margin, color="#44505c", lw=1, ls="--")
    span = 4 * max(*(abs(value) for value in steps.mean), 1e-9)
    axes.set_ylim(-span, span)
    axes.set_xlabel("blocks of paired requests")
    axes.set_ylabel("gain over the champion")
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _save(path: Path, draw: Any) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), dpi=90)
    axes = figure.subplots()
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Software": None})
    return path


def _over_time(axes: Any, over_time: pd.DataFrame, models: list[str]) -> None:
    times = pd.to_datetime(over_time[EVENT_TIME])
    for name in models:
        axes.plot(times, over_time[f"{name}_loss"], color=_COLOURS[name], label=name)
    axes.set_ylabel("mean loss")
    axes.tick_params(axis="x", labelrotation=20)


def _predicted(axes: Any, answers: pd.DataFrame, models: list[str]) -> None:
    for name in models[::-1]:
        axes.plot(answers["truth"], answers[f"{name}_answer"], ".", ms=3, alpha=0.4, color=_COLOURS[name], label=name)
    ends = [answers["truth"].min(), answers["truth"].max()]
    axes.plot(ends, ends, color="#44505c", lw=0.8, ls="--")
    axes.set_xlabel("actual")
    axes.set_ylabel("predicted")


def _calibration(axes: Any, answers: pd.DataFrame, models: list[str]) -> None:
    for name in models:
        given, right = answers[f"{name}_answer"], answers[f"{name}_right"]
        bins = np.minimum((given * _BINS).astype(int), _BINS - 1)
        axes.plot(given.groupby(bins).mean(), right.groupby(bins).mean(), "o-", color=_COLOURS[name], label=name)
    axes.plot([0, 1], [0, 1], color="#44505c", lw=0.8, ls="--")
    axes.set_xlabel("probability given")
    axes.set_ylabel("share that came true")
