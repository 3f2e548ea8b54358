"""Candidate and champion measured on the same held-out rows, overall and by slice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.spec import PipelineSpec
from stats.losses import Floats, losses
from training.evaluate import evaluate, metrics_of

Metrics = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model said to the held-out rows.

    Attributes:
        values: (n,) values or probabilities of the second class, or (n, k) probabilities.
        classes: labels in the order of the probabilities; empty for regression.
    """

    values: np.ndarray
    classes: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Measures:
    """Metrics by name on one set of rows; None where a metric cannot be computed there, `champion` None where there is none."""

    rows: int
    candidate: Metrics
    champion: Metrics | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured before the gates.

    Attributes:
        slices: column → value → measures; the columns that the spec's gates name.
        champion: version of the champion, or None.
        left_out: held-out rows that were not used because the champion was fitted on them.
    """

    overall: Measures
    slices: dict[str, dict[str, Measures]] = field(default_factory=dict)
    champion: str | None = None
    left_out: int = 0


def compare(
    spec: PipelineSpec, rows: pd.DataFrame, candidate: Answers, champion: Answers | None
) -> tuple[Measures, dict[str, dict[str, Measures]]]:
    """Return the measures on all rows, and by column and value for each column that a gate slices by.

    Args:
        rows: (n,) held-out rows with the target and the columns that gates slice by.
        candidate: its answers to these rows.
        champion: its answers to the same rows, or None.
    """
    everywhere = np.ones(len(rows), dtype=bool)
    columns = dict.fromkeys(gate.slice for gate in spec.gates if gate.slice is not None)
    slices = {
        column: {value: _measures(spec, rows, here, candidate, champion) for value, here in _masks(rows[column]).items()}
        for column in columns
    }
    return _measures(spec, rows, everywhere, candidate, champion), slices


def unmeasured(evaluation: Evaluation) -> Evaluation:
    """Return an evaluation whose champion is there and cannot be measured: it was fitted on every one of these rows."""

    def blank(one: Measures) -> Measures:
        return replace(one, champion=dict.fromkeys(one.candidate))

    slices = {column: {value: blank(one) for value, one in found.items()} for column, found in evaluation.slices.items()}
    return replace(evaluation, overall=blank(evaluation.overall), slices=slices)


def row_losses(spec: PipelineSpec, rows: pd.DataFrame, answers: Answers) -> Floats:
    """Return each row's loss: absolute error for regression, log loss in nats for the other tasks."""
    truth = rows[spec.columns.target].to_numpy()
    if spec.task == "regression":
        return losses("absolute_error", truth.astype(np.float64), answers.values)
    if spec.task == "binary":
        return losses("log_loss", (truth == answers.classes[1]).astype(np.float64), answers.values)
    known = _aligned(answers, truth)
    index = np.array([known.classes.index(one) for one in truth.tolist()])
    return losses("log_loss", index.astype(np.float64), known.values)


def by_row(spec: PipelineSpec, rows: pd.DataFrame, answers: Answers) -> pd.DataFrame:
    """Return each row's answer and loss, and for classes whether it came true.

    Returns:
        `answer`: the value, the probability of the second class, or that of the most likely class; `loss`; `right`: 0 or 1, else absent.
    """
    one = answers.values if answers.values.ndim == 1 else answers.values.max(axis=1)
    found = pd.DataFrame({"answer": one, "loss": row_losses(spec, rows, answers)}, index=rows.index)
    if spec.task == "regression":
        return found
    truth = rows[spec.columns.target].to_numpy()
    meant = np.asarray(answers.classes, dtype=object)[1 if spec.task == "binary" else answers.values.argmax(axis=1)]
    return found.assign(right=(truth == meant).astype(np.int64))


def unseen(rows: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """Return the held-out rows that a model fitted up to `cutoff` has not seen."""
    return rows[rows[EVENT_TIME] > cutoff]


def _masks(values: pd.Series) -> Mapping[str, np.ndarray]:
    texts = values.astype("string").fillna("missing").to_numpy(dtype=object)
    return {str(value): texts == value for value in sorted(set(texts))}


def _measures(spec: PipelineSpec, rows: pd.DataFrame, here: np.ndarray, candidate: Answers, champion: Answers | None) -> Measures:
    truth = rows[spec.columns.target].to_numpy()[here]
    return Measures(
        rows=int(here.sum()),
        candidate=_metrics(spec, truth, Answers(candidate.values[here], candidate.classes)),
        champion=None if champion is None else _metrics(spec, truth, Answers(champion.values[here], champion.classes)),
    )


def _metrics(spec: PipelineSpec, truth: np.ndarray, answers: Answers) -> Metrics:
    known = _aligned(answers, truth) if spec.task == "multiclass" else answers
    found = evaluate(truth, known.values, metrics_of(spec.task), known.classes)
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def _aligned(answers: Answers, truth: np.ndarray) -> Answers:
    """Give a class that the model never saw the probability 0."""
    further = sorted(set(truth.tolist()) - set(answers.classes), key=str)
    if not further:
        return answers
    labels = [*answers.classes, *further]
    values = np.hstack([answers.values, np.zeros((len(answers.values), len(further)))])
    order = sorted(range(len(labels)), key=lambda position: (str(type(labels[position])), labels[position]))  # as scikit-learn sorts labels
    return Answers(values[:, order], tuple(labels[position] for position in order))
