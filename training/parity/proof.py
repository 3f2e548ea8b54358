"""Tries whether ONNX Runtime says what scikit-learn says for one fitted model; the proof goes into the package.

Trees are tried one at a time, cut out of the very file: next to each of their splits, and there the leaf must be the same to the last bit.
The whole model is tried on every held-out row, one by one and together, and on rows with gaps, unseen categories and extreme numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.package import MODEL, ONNX, PARITY, Accepts, Manifest, Parity, Task
from training.parity.formula import Ensemble, Floats, Linear, NotWritten, read_formula
from training.parity.graph import one_by_one, write_model
from training.parity.rows import FEW, at_splits, awkward
from training.threads import threads_for

Answer = Callable[[Floats], Floats]


class Asked(Protocol):
    """An ONNX model that was opened."""

    def takes(self, matrix: Floats) -> npt.NDArray[np.bool_]:
        """Say which rows it may be asked about."""

    def answer(self, matrix: Floats) -> Floats:
        """Answer rows."""


Open = Callable[[bytes, Accepts], Asked]

MOST_NODES = 500_000  # more than these are neither written nor tried: a retrain must not wait for it
LIMIT = 1e-5
_STEPS = (0.0, 1e-15, 1e-12, 1e-9, 1e-7, LIMIT)
_ALONE = 20  # held-out rows that are asked one by one
_TOGETHER = 2000  # rows next to splits that the whole model is asked


@dataclass(frozen=True, slots=True)
class Subject:
    """A fitted model on its trial.

    Attributes:
        model: scikit-learn's pipeline of a transformer and an estimator.
        build: the pipeline's feature code, or None.
        held_out: input columns with the types that a loaded package gives them.
        versions: of the libraries that are tried.
    """

    manifest: Manifest
    model: Any
    build: Callable[[pd.DataFrame], pd.DataFrame] | None
    held_out: pd.DataFrame
    versions: dict[str, str]


@dataclass(slots=True)
class _Found:
    rows: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    difference: float = 0.0
    flips: int = 0
    wrong_splits: int = 0

    def add(self, kind: str, rows: int, refused: int = 0) -> None:
        self.rows[kind] = self.rows.get(kind, 0) + rows
        if refused:
            self.refused[kind] = self.refused.get(kind, 0) + refused


def proved_files(subject: Subject, files: dict[str, bytes], open_onnx: Open) -> dict[str, bytes]:
    """Return what is added to a package's files: the proof, and the ONNX model where the proof holds.

    A model that cannot be written or tried is a proof that does not hold, with the reason; nothing is raised.
    """
    digest = hashlib.sha256(files[MODEL]).hexdigest()
    try:
        formula = _small_enough(read_formula(subject.model.steps[-1][1]))
        written = write_model(formula)
        with threads_for(len(subject.held_out)):
            parity = prove(subject, formula, written, open_onnx, digest)
    except NotWritten as error:
        parity = _without(str(error), digest, subject.versions)
    except Exception as error:  # noqa: BLE001  # whatever a model or a library raises here, the version is good without ONNX
        said = next(iter(str(error).strip().splitlines()), "no message")
        parity = _without(f"It could not be tried: {type(error).__name__}: {said}", digest, subject.versions)
    text = (json.dumps(parity.model_dump(mode="json"), indent=2) + "\n").encode()
    return {PARITY: text} | ({ONNX: written} if parity.holds else {})


def _small_enough(formula: Ensemble | Linear) -> Ensemble | Linear:
    if isinstance(formula, Ensemble) and formula.nodes > MOST_NODES:
        raise NotWritten(f"The trees have {formula.nodes:,} nodes; at most {MOST_NODES:,} are written as ONNX.")
    return formula


def _without(reason: str, digest: str, versions: dict[str, str]) -> Parity:
    return Parity(holds=False, reason=reason, model=digest, versions=versions)


def prove(subject: Subject, formula: Ensemble | Linear, written: bytes, open_onnx: Open, digest: str) -> Parity:
    """Try an ONNX model against the model it was written from.

    Args:
        digest: sha256 of the model's file.
    """
    estimator = subject.model.steps[-1][1]
    accepts, found = accepted(estimator, formula), _Found()
    pair = _Pair(open_onnx(written, accepts), _scikit_learn(estimator, subject.manifest.task), subject.manifest.task)
    for kind, matrix in _matrices(subject, found):
        pair.ask(kind, matrix, found)
        if kind == "held_out":
            for row in range(min(len(matrix), _ALONE)):
                pair.ask("one_by_one", matrix[row : row + 1], found)
    if isinstance(formula, Ensemble):
        pair.ask("at_splits_together", _each_tree(formula, written, lambda cut: open_onnx(cut, accepts).answer, found), found)
    holds = found.difference <= LIMIT and not found.flips and not found.wrong_splits
    return Parity(
        holds=holds,
        reason=_reason(holds, found),
        model=digest,
        onnx=hashlib.sha256(written).hexdigest(),
        rows=found.rows,
        refused=found.refused,
        max_difference=next((step for step in _STEPS if found.difference <= step), found.difference),
        class_flips=found.flips,
        wrong_splits=found.wrong_splits,
        accepts=accepts,
        versions=subject.versions,
    )


def accepted(estimator: Any, formula: Ensemble | Linear) -> Accepts:
    """Return the numbers that scikit-learn takes: a forest refuses what is infinite as float32, a weighted sum whatever is not finite."""
    if isinstance(formula, Linear):
        return Accepts(missing=False, largest=float(np.finfo(np.float64).max))
    if not formula.single:
        return Accepts(missing=True, largest=None)
    try:
        estimator.predict(np.full((1, formula.features), np.nan))
    except ValueError:
        missing = False
    else:
        missing = True
    return Accepts(missing=missing, largest=float(np.finfo(np.float32).max))


def _scikit_learn(estimator: Any, task: Task) -> Answer:
    if task == "regression":
        return lambda matrix: np.asarray(estimator.predict(matrix), dtype=np.float64)
    chosen = slice(None) if task == "multiclass" else 1
    return lambda matrix: np.asarray(estimator.predict_proba(matrix)[:, chosen], dtype=np.float64)


def _matrices(subject: Subject, found: _Found) -> Iterable[tuple[str, Floats]]:
    """Give the estimator's matrix for each kind of rows; what feature code or encoders refuse never comes to ONNX Runtime."""
    for kind, frame in awkward(subject.held_out, subject.manifest.columns):
        parts = list(_encoded(subject, kind, frame, found))
        if parts:
            yield kind, np.concatenate(parts)


def _encoded(subject: Subject, kind: str, frame: pd.DataFrame, found: _Found) -> Iterable[Floats]:
    """Encode rows; where they are refused, halves of them, until it is known which."""
    try:
        built = frame if subject.build is None else subject.build(frame)
        yield np.ascontiguousarray(subject.model[:-1].transform(built), dtype=np.float64)
    except Exception:  # noqa: BLE001  # feature code may raise anything; the same code stands before ONNX Runtime
        if len(frame) <= FEW:
            found.add(kind, len(frame), len(frame))
            return
        half = max(1, len(frame) // FEW // 2) * FEW
        yield from _encoded(subject, kind, frame.iloc[:half], found)
        yield from _encoded(subject, kind, frame.iloc[half:], found)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both ways to answer the same matrix."""

    onnx: Asked
    theirs: Answer
    task: Task

    def ask(self, kind: str, matrix: Floats, found: _Found) -> None:
        kept = matrix[self.onnx.takes(matrix)]
        found.add(kind, len(matrix), len(matrix) - len(kept))
        if not len(kept):
            return
        with np.errstate(all="ignore"):  # extreme numbers overflow in both
            mine, other = self.onnx.answer(kept), self.theirs(kept)
        found.difference = max(found.difference, difference(mine, other))
        if self.task != "regression":
            found.flips += int((_chosen(mine) != _chosen(other)).sum())


def difference(mine: Floats, other: Floats) -> float:
    """Return the greatest difference, relative to the other where that is above 1; infinite where shapes or what is finite differ."""
    if mine.shape != other.shape or not np.array_equal(np.isfinite(mine), np.isfinite(other)):
        return float("inf")
    finite = np.isfinite(other)
    if not np.array_equal(mine[~finite], other[~finite], equal_nan=True):
        return float("inf")
    apart = np.abs(mine[finite] - other[finite]) / np.maximum(1.0, np.abs(other[finite]))
    return float(apart.max(initial=0.0))


def _chosen(answers: Floats) -> npt.NDArray[Any]:
    """Return the class of each row, as the gateway chooses it."""
    return answers > 0.5 if answers.ndim == 1 else answers.argmax(axis=1)


def _each_tree(formula: Ensemble, written: bytes, ask: Callable[[bytes], Answer], found: _Found) -> Floats:
    """Try each tree next to each of its splits, and return some of the rows."""
    share = -(-_TOGETHER // len(formula.trees))
    some = [np.empty((0, formula.features))]
    alone = list(one_by_one(written))[int(np.count_nonzero(formula.start)) :]  # the first of all are no trees but what the sum starts with
    for tree, model in zip(formula.trees, alone, strict=True):
        rows = at_splits(tree, formula.features, formula.single)
        if len(rows):
            found.add("at_splits", len(rows))
            found.wrong_splits += int((ask(model)(rows) != tree.say(rows)).sum())
            some.append(rows[:: -(-len(rows) // share)])
    return np.concatenate(some)


def _reason(holds: bool, found: _Found) -> str:
    tried = f"{sum(found.rows.values()):,} rows were tried"
    if holds:
        return f"ONNX Runtime says what scikit-learn says: {tried}, no class and no split differs, no answer by more than {LIMIT:g}."
    return (
        f"ONNX Runtime says otherwise than scikit-learn: {tried}, {found.wrong_splits:,} next to a split went another way, "
        f"{found.flips:,} had another class, and answers differ by up to {found.difference:.3g}."
    )
