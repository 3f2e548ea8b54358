"""Losses that two really fitted models have on the same rows: bike rentals where UNDERSTUDY_REAL_DATA is set, else simulated clicks.

Rows are kept in blocks (a day of bike rentals, a quarter of an hour of clicks) that a simulated rollout draws whole, so that what hangs
together stays together. Two models of one family, fitted on different four fifths of the same rows with more or fewer trees, are as alike
as a champion and its refit are; the one whose improvement is nearest to what is asked for is taken, and its losses are scaled by the rest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.simulated.looks import Floats
from training.threads import threads_for

_TREES = (25, 35, 40, 45, 50, 55, 60, 65, 75, 90, 120, 200)
_CHAMPION_TREES = 50
_MOST_SCALING = 0.03  # beyond this the losses would be made up


@dataclass(frozen=True, slots=True)
class Pair:
    """The losses of champion and candidate, (blocks, rows of a block) each; `scaled` is the factor on the candidate's."""

    champion: Floats
    candidate: Floats
    scaled: float

    @property
    def correlation(self) -> float:
        return float(np.corrcoef(self.champion.ravel(), self.candidate.ravel())[0, 1])


@dataclass(frozen=True, slots=True)
class Pool:
    """What the champion and many other fits lost on rows that none of them was fitted on."""

    name: str
    champion: Floats
    others: list[Floats]

    def pair(self, improvement: float) -> Pair | None:
        """Return a candidate whose mean loss is this much better (0.05: 5 %); None where no fit comes near."""
        wanted = (1 - improvement) * self.champion.mean()
        nearest = min(self.others, key=lambda losses: abs(losses.mean() - wanted))
        scaled = float(wanted / nearest.mean())
        return Pair(self.champion, nearest * scaled, scaled) if abs(scaled - 1) <= _MOST_SCALING else None


def pool() -> Pool:
    """Fit the models and return what they lose."""
    folder = os.environ.get("UNDERSTUDY_REAL_DATA")
    return _bikes(Path(folder) / "bike_sharing" / "hour.csv") if folder else _clicks()


def _bikes(path: Path) -> Pool:
    from sklearn.ensemble import HistGradientBoostingRegressor

    frame = pd.read_csv(path)
    features = ["season", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed", "yr"]
    whole = frame.groupby("dteday")["hr"].transform("size") == 24
    frame = frame[whole]
    days = frame["dteday"].unique()
    fitted = set(np.random.default_rng(0).permutation(days)[: len(days) // 2])
    train, test = frame[frame["dteday"].isin(fitted)], frame[~frame["dteday"].isin(fitted)]

    def losses(trees: int, seed: int) -> Floats:
        rows = train.sample(frac=0.8, random_state=seed)
        model = HistGradientBoostingRegressor(max_iter=trees, random_state=seed).fit(rows[features], rows["cnt"])
        return np.asarray(np.abs(model.predict(test[features]) - test["cnt"]).to_numpy().reshape(-1, 24))

    return _pool("bike rentals, absolute error", losses)


def _clicks() -> Pool:
    from sklearn.ensemble import HistGradientBoostingClassifier

    from adapters.sources.simulator import simulate
    from contracts.spec import SimulatorSource
    from stats.losses import losses as loss_of

    frame = simulate(SimulatorSource(kind="simulator", world="ad_clicks", seed=7, start="2026-01-19", rows_per_hour=120), None, _days(14))
    known = pd.get_dummies(frame[["hour", "price", "relevance", "age", "visits", "device", "slot", "topic"]])
    half = len(frame) // 240 * 120
    train, test = known.iloc[:half], known.iloc[half : 2 * half]
    truth = frame["clicked"].to_numpy(dtype=np.float64)[half : 2 * half]

    def losses(trees: int, seed: int) -> Floats:
        rows = train.sample(frac=0.8, random_state=seed)
        model = HistGradientBoostingClassifier(max_iter=trees, learning_rate=0.03, random_state=seed)
        model.fit(rows, frame.loc[rows.index, "clicked"])
        return np.asarray(loss_of("log_loss", truth, model.predict_proba(test)[:, 1])).reshape(-1, 30)

    return _pool("simulated clicks, log loss", losses)


def _days(count: int) -> Any:
    from datetime import UTC, datetime, timedelta

    return datetime(2026, 1, 19, tzinfo=UTC) + timedelta(days=count)


def _pool(name: str, losses: Any) -> Pool:
    with threads_for(0):  # in one thread: on a busy machine two wait for each other most of the time
        return Pool(name, losses(_CHAMPION_TREES, 1), [losses(trees, 100 + number) for number, trees in enumerate(_TREES)])
