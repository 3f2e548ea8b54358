"""The simulated world: history up to now, fits on it, and what each fitted version answers. Nothing after now is ever shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
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
from training.compare import Answers, Evaluation, compare, unmeasured, unseen
from training.fit import fit
from training.gates import judge_all
from training.threads import threads_for


@dataclass(frozen=True, slots=True)
class Version:
    """A fitted version.

    Attributes:
        held_out: event_time, label and prediction of the rows that were held out from it.
    """

    model: ModelRef
    package: LoadedPackage
    rows: pd.DataFrame
    held_out: pd.DataFrame


class World:
    """One pipeline's history; all policies share its fits and answers.

    Args:
        history: every row of the source with event_time, in order of time.
    """

    def __init__(self, pipeline: Pipeline, history: pd.DataFrame) -> None:
        self.pipeline, self.spec = pipeline, pipeline.spec
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
        self._fits: dict[tuple[datetime, str], Version] = {}
        self._answers: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def fits(self) -> int:
        """How many different fits were made."""
        return len(self._fits)

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
        key = (rows[EVENT_TIME].iloc[-1].to_pydatetime(), self.pipeline.spec_digest)
        if key not in self._fits:
            self._fits[key] = self._fit(rows, key[0])
        return self._fits[key]

    def answers(self, version: Version, rows: np.ndarray) -> np.ndarray:
        """Return what a version answers to rows; it is asked once for each.

        Args:
            rows: (n,) their numbers; the caller names none that has not happened.

        Returns:
            (n,) numbers, or (n, k) probabilities.
        """
        if version.model.digest not in self._answers:
            width = (len(version.package.manifest.classes),) if self.spec.task == "multiclass" else ()
            self._answers[version.model.digest] = np.empty((len(self.times), *width)), np.zeros(len(self.times), dtype=bool)
        values, there = self._answers[version.model.digest]
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
        rows = candidate.rows if champion is None else unseen(candidate.rows, pd.Timestamp(champion.model.cutoff))
        nothing_fair = rows.empty
        rows = candidate.rows if nothing_fair else rows
        rival = None if champion is None or nothing_fair else _say(champion.package, rows)
        overall, slices = compare(self.spec, rows, _say(candidate.package, rows), rival)
        found = Evaluation(overall, slices, champion.model.version if champion else None, len(candidate.rows) - len(rows))
        return judge_all(self.spec.gates, unmeasured(found) if nothing_fair else found)

    def _fit(self, rows: pd.DataFrame, newest: datetime) -> Version:
        spec, window = self.spec, self.spec.train.window
        labelled = rows[EVENT_TIME][rows[spec.columns.target].notna()]
        if isinstance(window, timedelta) and not labelled.empty:  # older rows could not be fitted anyway
            rows = rows[rows[EVENT_TIME] >= labelled.iloc[-1] - spec.train.holdout - window]
        if spec.columns.key:
            rows = rows.drop_duplicates(spec.columns.key, keep="last")  # as a snapshot has it
        done = fit(rows, spec, self.pipeline.params, self.pipeline.feature_code)
        digest = package_digest(done.files)
        model = ModelRef(f"{newest:%Y-%m-%dT%H:%M:%S}", digest, "", f"{newest:%Y-%m-%dT%H:%M:%S}", done.cutoff)
        package = load_files(done.files, digest)
        said = _say(package, done.held_out).values.tolist()
        held_out = pd.DataFrame({EVENT_TIME: done.held_out[EVENT_TIME], "label": done.held_out[spec.columns.target], "prediction": said})
        return Version(model, package, done.held_out, held_out)


def _say(package: LoadedPackage, rows: pd.DataFrame) -> Answers:
    with threads_for(len(rows)):
        return Answers(package.predict(rows), package.manifest.classes)


def _us(at: datetime) -> Any:
    return np.datetime64(round(at.timestamp() * 1e6), "us")
