"""The simulated world: history up to now, fits on it, and what each fitted version answers. Nothing after now is ever shown."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from adapters.package_store import LoadedPackage, load_files
from adapters.pipeline_files import Pipeline
from contracts.columns import EVENT_TIME
from contracts.errors import UsageError
from contracts.package import package_digest
from contracts.rollout import ModelRef
from contracts.verdict import Verdict
from flows.stages.evaluate import Rival, hold_trial
from flows.stages.held_out import answers_to
from training.fit import fit
from training.gates import judge_all
from training.threads import threads_for
from training.windows import Tried


@dataclass(frozen=True, slots=True)
class Version:
    """A fitted version.

    Attributes:
        rows: that were held out from it. held_out: event_time, label and prediction of these.
        window: that it was fitted on. tried: what each of several was worth.
        seconds: that the fit took on this machine.
    """

    model: ModelRef
    package: LoadedPackage
    rows: pd.DataFrame
    held_out: pd.DataFrame
    window: str
    tried: tuple[Tried, ...]
    seconds: float = field(compare=False)


@dataclass
class _Shared:
    """What worlds over one history share: fits by newest row and by what decides a fit, and answers by package."""

    fits: dict[tuple[datetime, str], Version] = field(default_factory=dict)
    answers: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


class World:
    """One pipeline's history; all policies share its fits and answers, and so do variants of the pipeline where they fit the same.

    Args:
        history: every row of the source with event_time, in order of time.
    """

    def __init__(self, pipeline: Pipeline, history: pd.DataFrame, shared: _Shared | None = None) -> None:
        self.pipeline, self.spec = pipeline, pipeline.spec
        self._shared = shared or _Shared()
        self._decides_fit = _decides_fit(pipeline)
        self._history = history.reset_index(drop=True)
        self.times = self._history[EVENT_TIME].to_numpy(dtype="datetime64[us]")
        self.labels = self._history[self.spec.columns.target]
        self.frame = pd.DataFrame(
            {
                "request_id": pd.Series(range(len(history))).astype("str"),
                "row": 0,
                EVENT_TIME: self._history[EVENT_TIME],
                "arm": "champion",
                "latency_ms": 1.0,  # time is simulated: every answer takes as long as any other
                "logged_at": self._history[EVENT_TIME],
                "batch": range(len(history)),
            }
        )

    def varied(self, pipeline: Pipeline) -> World:
        """Return the same history under another spec; fits that it does not change are shared."""
        return World(pipeline, self._history, self._shared)

    @property
    def fits(self) -> int:
        """How many different fits were made, those of other variants too."""
        return len(self._shared.fits)

    def upto(self, now: datetime) -> int:
        """Return how many rows have happened by now."""
        return int(np.searchsorted(self.times, _us(now), side="right"))

    def known(self, now: datetime) -> int:
        """Return of how many rows the label may be known by now."""
        return self.upto(now - self.spec.columns.label_delay)

    def fitted(self, now: datetime) -> Version:
        """Return the version that a retrain gives now: fitted on the rows whose label is known, and only once for the same rows.

        Raises:
            UsageError: there are too few rows yet.
        """
        rows = self._history.iloc[: self.known(now)]
        if rows.empty:
            raise UsageError(f"No label is known by {now:%Y-%m-%d %H:%M}: nothing can be fitted.", "Begin later: --from DATE.")
        key = (rows[EVENT_TIME].iloc[-1].to_pydatetime(), self._decides_fit)
        if key not in self._shared.fits:
            self._shared.fits[key] = self._fit(rows, key[0])
        return self._shared.fits[key]

    def answers(self, version: Version, rows: np.ndarray) -> np.ndarray:
        """Return what a version answers to rows; it is asked once for each.

        Args:
            rows: (n,) their numbers; the caller names none that has not happened.

        Returns:
            (n,) numbers, or (n, k) probabilities.
        """
        if version.model.digest not in self._shared.answers:
            width = (len(version.package.manifest.classes),) if self.spec.task == "multiclass" else ()
            self._shared.answers[version.model.digest] = np.empty((len(self.times), *width)), np.zeros(len(self.times), dtype=bool)
        values, there = self._shared.answers[version.model.digest]
        missing = rows[~there[rows]]
        if len(missing):
            with threads_for(len(missing)):
                values[missing] = version.package.predict(self._history.iloc[missing])
            there[missing] = True
        said: np.ndarray = values[rows]
        return said

    def asked(self, rows: np.ndarray) -> pd.DataFrame:
        """Return the features of rows, as the traffic log has them: with request_id and row."""
        return self.frame[["request_id", "row"]].iloc[rows].join(self._history[self.spec.columns.features.all])

    def judged(self, candidate: Version, champion: Version | None) -> tuple[Verdict, ...]:
        """Hold a candidate against every offline gate, on the rows that neither has seen; as the evaluate and gate stages do."""
        rival = None if champion is None else Rival(champion.model, lambda: champion.package)
        return judge_all(self.spec.gates, hold_trial(self.spec, candidate.rows, candidate.package, rival).evaluation)

    def _fit(self, rows: pd.DataFrame, newest: datetime) -> Version:
        spec, reach = self.spec, self.spec.train.reach
        labelled = rows[EVENT_TIME][rows[spec.columns.target].notna()]
        if reach is not None and not labelled.empty:  # older rows could not be fitted anyway
            rows = rows[rows[EVENT_TIME] >= labelled.iloc[-1] - spec.train.holdout - reach]
        if spec.columns.key:
            rows = rows.drop_duplicates(spec.columns.key, keep="last")  # as a snapshot has it
        began = time.perf_counter()
        done = fit(rows, spec, self.pipeline.params, self.pipeline.feature_code)
        seconds = time.perf_counter() - began
        digest = package_digest(done.files)
        model = ModelRef(f"{newest:%Y-%m-%dT%H:%M:%S}", digest, "", f"{newest:%Y-%m-%dT%H:%M:%S}", done.cutoff)
        package = load_files(done.files, digest)
        with threads_for(len(done.held_out)):
            held_out = answers_to(done.held_out, spec.columns.target, package.predict)
        return Version(model, package, done.held_out, held_out, done.window, done.tried, seconds)


def _decides_fit(pipeline: Pipeline) -> str:
    """Return all that decides a fit beside its rows; gates, rollout and monitors do not."""
    spec = pipeline.spec
    slices = [gate.slice for gate in spec.gates]
    parts = [spec.task, spec.columns.model_dump_json(by_alias=True), spec.train.model_dump_json(), pipeline.params.model_dump_json()]
    return json.dumps([*parts, slices, pipeline.feature_code])


def _us(at: datetime) -> Any:
    return np.datetime64(round(at.timestamp() * 1e6), "us")
