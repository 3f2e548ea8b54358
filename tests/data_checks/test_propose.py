"""The proposed suite: limits lie outside the sample, and say what is lost where they fail."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.spec import PipelineSpec
from data_checks.propose import propose_suite


def spec_of(task: str = "regression") -> PipelineSpec:
    metric, loss = ("mae", "absolute_error") if task == "regression" else ("log_loss", "log_loss")
    return PipelineSpec.model_validate(
        {
            "name": "sales",
            "task": task,
            "source": {"kind": "file", "path": "x.csv"},
            "columns": {"time": "at", "key": ["id"], "target": "y", "features": {"numeric": ["n"], "categorical": ["c"]}},
            "train": {"holdout": "1d", "estimator": "x.y"},
            "gates": [{"metric": metric, "max": 1}],
            "rollout": {"stages": [{"kind": "shadow", "loss": loss}]},
        }
    )


def sample(numbers: list[float], targets: list[float] | None = None) -> pd.DataFrame:
    rows = len(numbers)
    return pd.DataFrame({"at": ["2026-01-01"] * rows, "id": range(rows), "n": numbers, "c": ["a"] * rows, "y": targets or [1.0] * rows})


def limits(suite: dict, column: str) -> list[dict]:
    return [
        one["kwargs"]
        for one in suite["expectations"]
        if one["type"] == "expect_column_values_to_be_between" and one["kwargs"]["column"] == column
    ]


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_limits_always_contain_the_sample_and_are_json(numbers: list[float]) -> None:
    suite = propose_suite(sample(numbers), spec_of())
    assert json.loads(json.dumps(suite)) == suite
    (found,) = limits(suite, "n")
    assert found["min_value"] <= min(numbers)
    assert max(numbers) <= found["max_value"]


def test_what_was_never_negative_stays_so() -> None:
    (found,) = limits(propose_suite(sample([0.2, 0.9]), spec_of()), "n")
    assert found == {"column": "n", "min_value": 0.0, "max_value": 1.6}


def test_a_column_with_gaps_may_keep_them() -> None:
    suite = propose_suite(sample([1.0, float("nan")]), spec_of())
    guarded = {one["kwargs"]["column"] for one in suite["expectations"] if one["type"].endswith("not_be_null")}
    assert guarded == {"at", "id", "c", "y"}


def test_a_larger_target_is_said_but_not_set_aside() -> None:
    suite = propose_suite(sample([1.0, 2.0], [5.0, 10.0]), spec_of())
    severities = {
        next(iter(set(one["kwargs"]) - {"column"})): one["meta"]["severity"]
        for one in suite["expectations"]
        if one["kwargs"].get("column") == "y" and "between" in one["type"]
    }
    assert severities == {"min_value": "row", "max_value": "warn"}


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_an_unknown_class_is_set_aside(task: str) -> None:
    suite = propose_suite(sample([1.0, 2.0], [0.0, 1.0]), spec_of(task))
    last = suite["expectations"][-1]
    assert last["kwargs"] == {"column": "y", "value_set": [0.0, 1.0]}
    assert last["meta"]["severity"] == "row"
