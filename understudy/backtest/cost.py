"""What a walk cost: the loss of what was served, over time and in all, beside fits and decisions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from contracts.rollout import Act
from stats.losses import losses
from stats.truth import coded
from training.compare import Answers
from training.evaluate import evaluate, metrics_of
from understudy.backtest.policies import Policy
from understudy.backtest.ticks import Decided
from understudy.backtest.walk import Calendar, Refit, Walked
from understudy.backtest.world import World


@dataclass(frozen=True, slots=True)
class Point:
    """The mean loss of one step, which begins `at`; None where nothing was served with a label."""

    at: datetime
    loss: float | None
    rows: int


@dataclass(frozen=True, slots=True)
class Cost:
    """One policy's row of the table.

    Attributes:
        loss: mean over all served rows with a label. relative: to the policy `never`.
        rejected_offline: refits that did not meet an offline gate. rejected_live: candidates that left during their rollout.
        metrics: of all served rows together; across versions, so a ranking metric mixes their scales.
    """

    policy: str
    loss: float
    relative: float
    fits: int
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

    @property
    def rejections(self) -> int:
        """All candidates that were fitted and turned away."""
        return self.rejected_offline + self.rejected_live


def row_losses(world: World, walked: Walked) -> pd.Series:
    """Return the loss of each served row that has a label, indexed by its number."""
    memory, name = walked.memory, world.spec.rollout.shadows[0].loss
    parts = []
    for version, rows in _by_version(walked).items():
        package = memory.version(version).package
        truth = coded(world.labels.iloc[rows], package.manifest.classes)
        known = np.isfinite(truth)
        parts.append(pd.Series(losses(name, truth[known], world.answers(memory.version(version), rows[known])), index=rows[known]))
    return pd.concat(parts).sort_index() if parts else pd.Series(dtype="float64")


def cost_of(world: World, walked: Walked, calendar: Calendar, never: float | None) -> Cost:
    """Return what a walk cost.

    Args:
        never: the loss of the policy `never`; None where this is that walk.
    """
    found = row_losses(world, walked)
    mean = float(found.mean())
    count = {act: sum(one.act is act for one in walked.decided) for act in (Act.PROMOTE, Act.ABORT, Act.SUPERSEDE, Act.ROLLBACK)}
    offline = sum(not one.passed for one in walked.refits)
    policy: Policy = walked.policy
    return Cost(
        policy=policy.name,
        loss=mean,
        relative=1.0 if never is None else mean / never,
        fits=len(walked.refits),
        promotions=len(walked.refits) - 1 if policy.oracle else count[Act.PROMOTE],
        rejected_offline=offline,
        rejected_live=count[Act.ABORT] + count[Act.SUPERSEDE],
        rollbacks=count[Act.ROLLBACK],
        paused=walked.paused,
        budget_of=policy.budget_of,
        metrics=_metrics(world, walked),
        over_time=_over_time(world, found, calendar),
        refits=walked.refits,
        decided=walked.decided,
    )


def _by_version(walked: Walked) -> dict[str, np.ndarray]:
    rows = np.arange(walked.memory.first, walked.memory.end)
    names = walked.memory.versions[rows]
    return {name: rows[names == name] for name in dict.fromkeys(names)}


def _over_time(world: World, found: pd.Series, calendar: Calendar) -> list[Point]:
    points = []
    for at in calendar.looks:
        first, end = (int(np.searchsorted(found.index.to_numpy(), world.upto(one))) for one in (at, at + calendar.step))
        part = found.iloc[first:end]
        points.append(Point(at, float(part.mean()) if len(part) else None, len(part)))
    return points


def _metrics(world: World, walked: Walked) -> dict[str, float]:
    """Return the task's metrics over all served rows; none where the versions know different classes."""
    rows = np.arange(walked.memory.first, walked.memory.end)
    rows = rows[world.labels.iloc[rows].notna().to_numpy()]
    classes = {walked.memory.version(name).package.manifest.classes for name in dict.fromkeys(walked.memory.versions[rows])}
    if len(classes) != 1:
        return {}
    said = Answers(np.array(walked.memory.said(rows), dtype=np.float64), classes.pop())
    truth = world.labels.iloc[rows].to_numpy()
    found = evaluate(truth, said.values, metrics_of(world.spec.task), said.classes)
    return {name: value for name, value in found.items() if np.isfinite(value)}
