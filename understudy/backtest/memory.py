"""What the traffic log would say, kept in memory: who answered which row under which epoch, and what the one in shadow says to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.columns import EVENT_TIME
from rollout.contest import Contest
from rollout.pairs import Heard
from understudy.backtest.world import Version, World


class Memory:
    """One policy's traffic: each row of history after the start is one request, answered by the champion of its time.

    Attributes:
        first, end: rows first..end were served.
        versions: by row, the name of the version that answered; None where none did.
    """

    def __init__(self, world: World, start: datetime) -> None:
        self._world = world
        self._known: dict[str, Version] = {}
        self._rehearses_from: dict[int, int] = {}
        self.first = self.end = world.upto(start)
        self.versions = np.full(len(world.times), None, dtype=object)
        self._epochs = np.full(len(world.times), -1)

    def meet(self, version: Version) -> Version:
        """Remember a version by its name."""
        return self._known.setdefault(version.model.version, version)

    def version(self, name: str) -> Version:
        """Return a version that was met."""
        return self._known[name]

    def serve(self, champion: str, epoch: int, until: datetime) -> None:
        """Answer every row that happened since."""
        before, self.end = self.end, self._world.upto(until)
        self.versions[before : self.end], self._epochs[before : self.end] = champion, epoch

    def said(self, rows: np.ndarray) -> list[Any]:
        """Return what users were answered, by row."""
        found: list[Any] = [None] * len(rows)
        names = self.versions[rows]
        for name in dict.fromkeys(names):
            mine = np.flatnonzero(names == name)
            for place, value in zip(mine, self._world.answers(self._known[name], rows[mine]).tolist(), strict=True):
                found[place] = value
        return found

    def heard(self, contest: Contest, rehearse: timedelta, now: datetime) -> Heard:
        """Return what the traffic log would say about two versions, with every label that is known now.

        Args:
            rehearse: how much logged traffic a candidate answers before it goes live; counted back from when it is first heard.
        """
        since = self._since(contest, rehearse)
        rows = np.arange(since, self.end)
        own = self.versions[rows] == contest.against.version
        followed = rows[self._epochs[rows] == contest.epoch] if contest.watching else rows[~own]
        return Heard(
            answers=self._answers(rows),
            feedback=self.labelled(rows, now),
            judged=self._shadow(contest, contest.judged.version, rows[:0] if contest.watching else rows),
            against=self._shadow(contest, contest.against.version, followed),
            failures=self._answers(rows[:0]).assign(error=""),
            asked=lambda: self._world.asked(rows),
        )

    def answered_by(self, champion: Version, now: datetime) -> pd.DataFrame:
        """Return event_time, label (missing where it is not known yet) and prediction of what a version answered after its cutoff."""
        after = max(self.first, self._world.upto(champion.model.cutoff))
        rows = np.arange(after, self.end)
        rows = rows[self.versions[rows] == champion.model.version]
        labels = self._world.labels.iloc[rows].astype("object").where(rows < self._world.known(now))
        times = self._world.frame[EVENT_TIME].iloc[rows]
        return pd.DataFrame({EVENT_TIME: times, "label": labels, "prediction": self.said(rows)}).reset_index(drop=True)

    def labelled(self, rows: np.ndarray, now: datetime) -> pd.DataFrame:
        """Return the labels that are known now: request_id, row, label."""
        known = rows[rows < self._world.known(now)]
        frame = self._world.frame[["request_id", "row"]].iloc[known]
        labels = self._world.labels.iloc[known].astype("object")
        return frame.assign(label=labels.where(labels.notna(), None))

    def _since(self, contest: Contest, rehearse: timedelta) -> int:
        after = max(self.first, self._world.upto(contest.cutoff))
        if contest.watching:
            return after
        if contest.epoch not in self._rehearses_from:
            newest = self._world.times[max(self.end - 1, 0)]
            at = newest - np.timedelta64(round(rehearse.total_seconds() * 1e6), "us")
            self._rehearses_from[contest.epoch] = int(np.searchsorted(self._world.times, at, side="left"))
        return max(after, self._rehearses_from[contest.epoch])

    def _answers(self, rows: np.ndarray) -> pd.DataFrame:
        versions = pd.Series(self.versions[rows], index=rows, dtype="str")
        frame = self._world.frame.iloc[rows].assign(version=versions, epoch=self._epochs[rows])
        return frame.assign(prediction=pd.Series(self.said(rows), index=rows, dtype="object"))

    def _shadow(self, contest: Contest, version: str, rows: np.ndarray) -> pd.DataFrame:
        said = self._world.answers(self._known[version], rows).tolist()
        frame = self._world.frame[["request_id", "row", "latency_ms", "batch"]].iloc[rows]
        predictions = pd.Series(said, index=rows, dtype="object")
        return frame.assign(version=version, epoch=contest.epoch, error=pd.Series(None, index=rows, dtype="object"), prediction=predictions)
