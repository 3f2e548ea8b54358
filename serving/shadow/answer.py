"""Logged rows in, a model's answers out; whatever the model's code raises becomes evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from adapters.package_store import check_columns
from contracts.rollout import ModelRef
from contracts.traffic import AnsweredBatch, ShadowBatch
from serving.version import LoadedVersion

_ERROR_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one logged micro-batch: lists of one length, as in AnsweredBatch."""

    request_ids: list[str]
    rows: list[int]
    features: dict[str, list[Any]]

    def only(self, kept: Iterable[int]) -> Rows:
        """Return some of the rows, by their index."""
        places = list(kept)
        features = {name: [values[index] for index in places] for name, values in self.features.items()}
        return Rows([self.request_ids[index] for index in places], [self.rows[index] for index in places], features)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every answer of one group carries; `now` gives microseconds since 1970."""

    pipeline: str
    model: ModelRef
    epoch: int
    now: Callable[[], int]

    def batch(self, parts: list[Rows], predictions: list[Any], latency_us: int, error: str | None = None) -> ShadowBatch:
        """Return answers, or an error, as the traffic log keeps them."""
        ids = list(chain.from_iterable(part.request_ids for part in parts))
        rows = list(chain.from_iterable(part.rows for part in parts))
        return ShadowBatch(self.pipeline, self.model.version, self.epoch, self.now(), latency_us, ids, rows, predictions, error)


def pick(batch: AnsweredBatch, least: int) -> Rows | None:
    """Return the rows of a batch from an event time on, or None where there is none."""
    kept = [index for index, at in enumerate(batch.event_times) if at >= least]
    if not kept:
        return None
    rows = Rows(batch.request_ids, batch.rows, batch.features)
    return rows if len(kept) == len(batch.rows) else rows.only(kept)


def answer(version: LoadedVersion, group: list[Rows], stamp: Stamp) -> list[ShadowBatch]:
    """Answer a group of logged micro-batches, by the engine that would answer users.

    The first is answered alone and its time stands for all: that is how the gateway would have answered it. The others go through the
    model together. Where the model raises, halves are tried, so that a row it cannot answer costs no other its evidence.

    Returns:
        One ShadowBatch with every answer, and one with `error` for each different error; none for an empty group.
    """
    if not group:
        return []
    done: list[tuple[Rows, list[Any]]] = []
    failed: dict[str, list[Rows]] = {}
    began = time.perf_counter()
    _attempt(version, group[:1], done, failed)
    latency_us = round((time.perf_counter() - began) * 1e6)
    alike: dict[tuple[str, ...], list[Rows]] = {}
    for rows in group[1:]:
        alike.setdefault(tuple(rows.features), []).append(rows)
    for part in alike.values():
        _attempt(version, part, done, failed)
    answered = (
        [stamp.batch([rows for rows, _ in done], list(chain.from_iterable(values for _, values in done)), latency_us)] if done else []
    )
    return answered + [stamp.batch(part, [], latency_us, error) for error, part in failed.items()]


def _attempt(version: LoadedVersion, part: list[Rows], done: list[tuple[Rows, list[Any]]], failed: dict[str, list[Rows]]) -> None:
    try:
        values = _predict(version, part)
    except MemoryError:  # the process is spent: its keeper starts another
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the model's own code may raise anything, and that is its evidence
        halves = _halves(part)
        if not halves:
            failed.setdefault(f"{type(error).__name__}: {error}"[:_ERROR_CHARACTERS], []).append(part[0])
        for half in halves:
            _attempt(version, half, done, failed)
        return
    at = 0
    for rows in part:
        done.append((rows, values[at : at + len(rows.rows)]))
        at += len(rows.rows)


def _halves(part: list[Rows]) -> list[list[Rows]]:
    """Return two halves of some micro-batches, or of the rows of one; nothing where there is a single row."""
    if len(part) > 1:
        middle = len(part) // 2
        return [part[:middle], part[middle:]]
    count = len(part[0].rows)
    return [[part[0].only(range(count // 2))], [part[0].only(range(count // 2, count))]] if count > 1 else []


def _predict(version: LoadedVersion, part: list[Rows]) -> list[Any]:
    columns = {name: list(chain.from_iterable(rows.features[name] for rows in part)) for name in part[0].features}
    check_columns(columns, version.manifest)
    predicted = version.predict(columns)
    count = sum(len(rows.rows) for rows in part)
    if len(predicted) != count:
        raise ValueError(f"{len(predicted)} answers to {count} rows")
    if not np.isfinite(predicted).all():
        raise ValueError("an answer is not a finite number")
    answers: list[Any] = predicted.tolist()
    return answers
