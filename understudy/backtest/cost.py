"""What a walk cost: the loss of what was served, over time and in all, beside fits and decisions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import pandas as pd

from contracts.rollout import Act
from contracts.spec import LossName
from stats.losses import losses
from stats.truth import coded
from training.evaluate import evaluate, metrics_of
from understudy.backtest.base_rate import follow_base_rate
from understudy.backtest.policies import Policy
from understudy.backtest.ticks import Decided
from understudy.backtest.walk import Calendar, Refit, Walked
from understudy.backtest.world import World

BASE_RATE = "never, intercept moved"
IN_STEP = "auc in step"


@dataclass(frozen=True, slots=True)
class Point:
    """The mean loss of one step, which begins `at`; None where nothing was served with a label."""

    at: datetime
    loss: float | None
    rows: int


@dataclass(frozen=True, slots=True)
class Cost:
    """One row of the table.

    Attributes:
        loss: mean over all served rows with a label. relative: to the policy `never`.
        seconds: that all fits take on this machine, had nobody shared them.
        rejected_offline: refits that did not meet an offline gate. rejected_live: candidates that left during their rollout.
        metrics: of all served rows together; across versions, so a ranking metric mixes their scales. `auc in step`: the mean over
            steps, each by its own rows, so that a moving base rate has no part in it.
        base_rate: which part of the gain over `never` the moved intercept has too; None where there is no gain, or no base rate.
        reference: a row to hold the others against; nobody can choose it.
    """

    policy: str
    loss: float
    relative: float
    fits: int
    seconds: float = field(compare=False)
    promotions: int
    rejected_offline: int
    rejected_live: int
    rollbacks: int
    paused: bool
    budget_of: str | None
    metrics: dict[str, float]
    over_time: list[Point]
    refits: list[Refit]
    decided: list[Decided]
    base_rate: float | None = None
    reference: bool = False

    @property
    def rejections(self) -> int:
        """All candidates that were fitted and turned away."""
        return self.rejected_offline + self.rejected_live

    @property
    def windows(self) -> dict[str, int]:
        """How often each window was chosen; empty where there was no choice."""
        chosen = [one.window for one in self.refits if one.tried]
        return {name: chosen.count(name) for name in dict.fromkeys(chosen)}


def cost_of(world: World, walked: Walked, calendar: Calendar, never: float | None) -> Cost:
    """Return what a walk cost.

    Args:
        never: the loss of the policy `never`; None where this is that walk.
    """
    found = row_losses(world, walked)
    mean = float(found.mean())
    count = {act: sum(one.act is act for one in walked.decided) for act in (Act.PROMOTE, Act.ABORT, Act.SUPERSEDE, Act.ROLLBACK)}
    policy: Policy = walked.policy
    return Cost(
        policy=policy.name,
        loss=mean,
        relative=1.0 if never is None else mean / never,
        fits=len(walked.refits),
        seconds=sum(one.seconds for one in walked.refits),
        promotions=len(walked.refits) - 1 if policy.oracle else count[Act.PROMOTE],
        rejected_offline=sum(not one.passed for one in walked.refits),
        rejected_live=count[Act.ABORT] + count[Act.SUPERSEDE],
        rollbacks=count[Act.ROLLBACK],
        paused=walked.paused,
        budget_of=policy.budget_of,
        metrics=_metrics(world, walked, calendar),
        over_time=_over_time(world, found, calendar),
        refits=walked.refits,
        decided=walked.decided,
        reference=policy.oracle,
    )


def moved_intercept(world: World, never: Cost, walked: Walked, calendar: Calendar) -> Cost:
    """Return the row of the model that was never refitted and whose intercept follows the base rate; for a binary task.

    Args:
        never: the cost of `walked`, the walk of the policy `never`.
    """
    version = walked.memory.version(walked.refits[0].version)
    rows, truth = _labelled(world, walked, version.package.manifest.classes)
    said = follow_base_rate(world, version, rows, calendar)
    found = pd.Series(losses(_loss(world), truth, said), index=rows)
    metrics = _measured(world, rows, said, version.package.manifest.classes, calendar)
    over_time, mean = _over_time(world, found, calendar), float(found.mean())
    return replace(
        never, policy=BASE_RATE, loss=mean, relative=mean / never.loss, metrics=metrics, over_time=over_time, refits=[], decided=[],
        reference=True,
    )  # fmt: skip


def with_base_rate(one: Cost, never: float, moved: float) -> Cost:
    """Return a row that says which part of its gain over `never` the moved intercept has too."""
    gain = never - one.loss
    return one if gain <= 0 else replace(one, base_rate=(never - moved) / gain)


def row_losses(world: World, walked: Walked) -> pd.Series:
    """Return the loss of each served row that has a label, indexed by its number."""
    memory, parts = walked.memory, []
    for version, rows in _by_version(walked).items():
        truth = coded(world.labels.iloc[rows], memory.version(version).package.manifest.classes)
        known = np.isfinite(truth)
        said = world.answers(memory.version(version), rows[known])
        parts.append(pd.Series(losses(_loss(world), truth[known], said), index=rows[known]))
    return pd.concat(parts).sort_index() if parts else pd.Series(dtype="float64")


def _loss(world: World) -> LossName:
    return world.spec.rollout.shadows[0].loss


def _by_version(walked: Walked) -> dict[str, np.ndarray]:
    rows = np.arange(walked.memory.first, walked.memory.end)
    names = walked.memory.versions[rows]
    return {name: rows[names == name] for name in dict.fromkeys(names)}


def _labelled(world: World, walked: Walked, classes: tuple[object, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of served rows whose label is known to a model, and these labels as numbers."""
    rows = np.arange(walked.memory.first, walked.memory.end)
    truth = coded(world.labels.iloc[rows], classes)
    return rows[np.isfinite(truth)], truth[np.isfinite(truth)]


def _over_time(world: World, found: pd.Series, calendar: Calendar) -> list[Point]:
    points = []
    for at, rows in _steps(world, found.index.to_numpy(), calendar):
        part = found.iloc[rows]
        points.append(Point(at, float(part.mean()) if len(part) else None, len(part)))
    return points


def _steps(world: World, rows: np.ndarray, calendar: Calendar) -> list[tuple[datetime, slice]]:
    """Return for each step which of the rows, in order of time, are served in it."""
    ends = [int(np.searchsorted(rows, world.upto(at))) for at in (*calendar.looks, calendar.looks[-1] + calendar.step)]
    return [(at, slice(first, end)) for at, first, end in zip(calendar.looks, ends, ends[1:], strict=False)]


def _metrics(world: World, walked: Walked, calendar: Calendar) -> dict[str, float]:
    """Return the task's metrics over all served rows; none where the versions know different classes."""
    rows = np.arange(walked.memory.first, walked.memory.end)
    rows = rows[world.labels.iloc[rows].notna().to_numpy()]
    classes = {walked.memory.version(name).package.manifest.classes for name in dict.fromkeys(walked.memory.versions[rows])}
    if len(classes) != 1:
        return {}
    return _measured(world, rows, np.array(walked.memory.said(rows), dtype=np.float64), classes.pop(), calendar)


def _measured(world: World, rows: np.ndarray, said: np.ndarray, classes: tuple[object, ...], calendar: Calendar) -> dict[str, float]:
    truth = world.labels.iloc[rows].to_numpy()
    found = evaluate(truth, said, metrics_of(world.spec.task), classes)
    if world.spec.task == "binary":
        found[IN_STEP] = _auc_in_step(world, rows, truth, said, classes, calendar)
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _auc_in_step(
    world: World, rows: np.ndarray, truth: np.ndarray, said: np.ndarray, classes: tuple[object, ...], calendar: Calendar
) -> float:
    """Return the mean AUC of the steps, weighted by their rows; steps with one class only do not count."""
    steps = [part for _, part in _steps(world, rows, calendar)]
    found = [evaluate(truth[part], said[part], ["auc"], classes)["auc"] if len(truth[part]) else np.nan for part in steps]
    weights = np.array([part.stop - part.start for part in steps], dtype=np.float64)
    known = np.isfinite(found)
    return float(np.average(np.array(found)[known], weights=weights[known])) if known.any() else float("nan")
