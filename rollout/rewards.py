"""From logged rows and feedback to one reward a unit: the samples of A/B and bandit stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from contracts.spec import AbStage, BanditStage
from contracts.traffic import reward_of
from rollout.exposure import Exposure
from rollout.pairs import KEY
from stats.truth import coded

LABEL = "label"


@dataclass(frozen=True, slots=True)
class Units:
    """Who was exposed, and what came of it.

    Attributes:
        samples: complete units with a known reward, in order of their first row: arm, propensity, total (its rewards together), known
            (rows with a reward), epoch.
        assigned: by epoch, how many units came into each arm; those that are not complete too.
        shares: by epoch, the share of each arm.
        waiting: units that are not complete yet. silent: complete units of whom no reward is known.
    """

    samples: pd.DataFrame
    assigned: dict[int, dict[str, int]]
    shares: dict[int, dict[str, float]]
    waiting: int
    silent: int


def exposed_rows(exposure: Exposure, answers: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that count for a stage: drawn for an arm of it, under one of its epochs, each once."""
    names = [arm.name for arm in exposure.arms]
    here = answers["epoch"].between(exposure.since, exposure.epoch) & answers["arm"].isin(names) & (answers["propensity"] < 1)
    return answers[here].drop_duplicates(KEY, keep="last")


def units_of(
    exposure: Exposure,
    rows: pd.DataFrame,
    feedback: pd.DataFrame,
    stage: AbStage | BanditStage,
    target: tuple[str, Sequence[object]],
    known_by: datetime,
) -> Units:
    """Return the units of a stage.

    A bandit draws a unit anew under each epoch, so there each (unit, epoch) is one sample.

    Args:
        rows: as `exposed_rows` gives them. feedback: request_id, row, label, reward.
        target: name of the target, and the classes in the order of the probabilities (none for regression).
        known_by: event time up to which rewards are due.
    """
    rows = rows.merge(feedback, on=KEY, how="left")
    rows["earned"] = _earned(rows, stage, target)
    by = ["epoch", "unit"]
    first = rows.groupby(by)["event_time"].transform("min")
    rows = rows.assign(first=first)[rows["event_time"] <= first + stage.attribution]
    grouped = rows.groupby(by, sort=False)
    units = grouped.agg(arm=("arm", "first"), propensity=("propensity", "first"), first=("first", "first"), total=("earned", "sum"))
    units["known"] = grouped["earned"].count()
    units = units.reset_index().sort_values("first", kind="stable", ignore_index=True)
    complete = units["first"] + stage.attribution <= pd.Timestamp(known_by)
    spoke = units["known"] > 0
    samples = units[complete & spoke].reset_index(drop=True)
    return Units(samples, _counts(units), _shares(exposure, units), int((~complete).sum()), int((complete & ~spoke).sum()))


def _earned(rows: pd.DataFrame, stage: AbStage | BanditStage, target: tuple[str, Sequence[object]]) -> pd.Series[Any]:
    if stage.reward in (LABEL, target[0]):
        earned = pd.Series(coded(rows["label"], target[1]), index=rows.index)
    else:
        earned = pd.to_numeric(rows["reward"].map(lambda one: reward_of(one, stage.reward)), errors="coerce")
    return earned.astype("float64").fillna(0.0) if stage.absent == "zero" else earned.astype("float64")


def _counts(units: pd.DataFrame) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for epoch, part in units.groupby("epoch"):
        found[int(str(epoch))] = {str(arm): int(count) for arm, count in part["arm"].value_counts().items()}
    return found


def _shares(exposure: Exposure, units: pd.DataFrame) -> dict[int, dict[str, float]]:
    """What the log says of each epoch; an arm that nobody came into has what is left."""
    names = [arm.name for arm in exposure.arms]
    found: dict[int, dict[str, float]] = {}
    for epoch, part in units.groupby("epoch"):
        seen = part.groupby("arm")["propensity"].first().to_dict()
        missing = [name for name in names if name not in seen]
        left = max(1.0 - float(np.sum(list(seen.values()))), 0.0)
        found[int(str(epoch))] = {name: float(seen.get(name, left / max(len(missing), 1))) for name in names}
    return found
