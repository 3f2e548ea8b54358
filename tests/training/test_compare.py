"""Candidate and champion on the same rows: by hand, by slice, with classes one of them never saw, and where nothing fair is left."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from contracts.spec import PipelineSpec
from contracts.verdict import Outcome
from training.compare import Answers, Evaluation, Measures, by_row, compare, unmeasured, unseen
from training.gates import judge_all


def spec(task: str, gates: list[dict[str, Any]]) -> PipelineSpec:
    loss = "absolute_error" if task == "regression" else "log_loss"
    return PipelineSpec.model_validate(
        {
            "name": "demand",
            "task": task,
            "source": {"kind": "file", "path": "rows.csv"},
            "columns": {"time": "at", "target": "y", "features": {"numeric": ["a"]}},
            "train": {"holdout": "1d", "estimator": "x.Y"},
            "gates": gates,
            "rollout": {"stages": [{"kind": "shadow", "loss": loss}]},
        }
    )


def rows(truth: list[Any], **columns: list[Any]) -> pd.DataFrame:
    times = pd.date_range("2026-01-01", periods=len(truth), freq="1h", tz="UTC")
    return pd.DataFrame({"event_time": times, "y": truth, **columns})


def test_both_models_are_measured_on_the_same_rows_overall_and_by_slice() -> None:
    gates = [{"metric": "mae", "max": 9}, {"metric": "mae", "max_regression": 0.1, "slice": "day", "min_rows": 1}]
    held = rows([1.0, 2.0, 4.0], day=[0, 1, 1])
    overall, slices = compare(spec("regression", gates), held, Answers(np.array([1.0, 3.0, 4.0])), Answers(np.array([3.0, 2.0, 4.0])))
    assert (overall.candidate["mae"], overall.champion and overall.champion["mae"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert {value: (one.rows, one.candidate["mae"]) for value, one in slices["day"].items()} == {"0": (1, 0.0), "1": (2, 0.5)}
    verdicts = judge_all(spec("regression", gates).gates, Evaluation(overall, slices, "1"))
    assert [(one.gate, one.outcome) for one in verdicts] == [
        ("mae", Outcome.PASS),
        ("mae[day=0]", Outcome.PASS),
        ("mae[day=1]", Outcome.FAIL),
    ]


def test_a_metric_that_cannot_be_computed_is_none_and_its_gate_fails() -> None:
    one_class = spec("binary", [{"metric": "auc", "min": 0.5}])
    overall, _ = compare(one_class, rows([1, 1]), Answers(np.array([0.2, 0.9]), (0, 1)), None)
    assert (overall.candidate["auc"], overall.champion) == (None, None)
    (verdict,) = judge_all(one_class.gates, Evaluation(overall))
    assert (verdict.outcome, verdict.observed) == (Outcome.FAIL, None)


def test_a_class_that_a_model_never_saw_counts_as_probability_zero_and_not_as_a_crash() -> None:
    many = spec("multiclass", [{"metric": "log_loss", "max": 1}])
    held = rows(["a", "c"])
    candidate = Answers(np.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]), ("a", "b", "c"))
    champion = Answers(np.array([[0.5, 0.5], [0.5, 0.5]]), ("a", "b"))
    overall, _ = compare(many, held, candidate, champion)
    assert overall.candidate["log_loss"] == pytest.approx(math.log(2))
    assert overall.champion is not None
    assert (overall.champion["log_loss"] or 0) > 10
    assert overall.champion["accuracy"] == 0.5
    assert by_row(many, held, champion)["loss"].tolist() == pytest.approx([math.log(2), -math.log(1e-15)])


def test_rows_say_whether_what_was_most_likely_came_true() -> None:
    found = by_row(
        spec("multiclass", [{"metric": "accuracy", "min": 0}]), rows(["a", "b"]), Answers(np.array([[0.9, 0.1], [0.8, 0.2]]), ("a", "b"))
    )
    assert found["right"].tolist() == [1, 0]
    found = by_row(spec("binary", [{"metric": "auc", "min": 0}]), rows([0, 1]), Answers(np.array([0.1, 0.6]), (0, 1)))
    assert (found["answer"].tolist(), found["right"].tolist()) == ([0.1, 0.6], [0, 1])
    assert found["loss"].tolist() == pytest.approx([-math.log(0.9), -math.log(0.6)])


def test_only_rows_after_a_cutoff_are_unseen() -> None:
    held = rows([1.0, 2.0, 3.0])
    assert unseen(held, held["event_time"].iloc[1])["y"].tolist() == [3.0]


def test_a_champion_that_saw_every_row_leaves_regression_gates_undecided_and_limits_decided() -> None:
    gates = [{"metric": "mae", "max": 9}, {"metric": "mae", "max_regression": 0.1}]
    found = unmeasured(Evaluation(Measures(40, {"mae": 1.0}), champion="2"))
    verdicts = judge_all(spec("regression", gates).gates, found)
    assert [one.outcome for one in verdicts] == [Outcome.PASS, Outcome.INCONCLUSIVE]
    assert "the champion cannot be measured on these rows" in verdicts[1].reason
