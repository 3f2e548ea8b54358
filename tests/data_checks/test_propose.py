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
    guarded = {
        one["kwargs"]["column"]: one["kwargs"].get("mostly", 1) for one in suite["expectations"] if one["type"].endswith("not_be_null")
    }
    assert guarded == {"n": 0.0, "at": 1, "id": 1, "c": 1, "y": 1}
    rare = propose_suite(sample([1.0] * 99 + [float("nan")]), spec_of())["expectations"]
    (found,) = [one for one in rare if one["type"].endswith("not_be_null") and one["kwargs"]["column"] == "n"]
    assert (found["kwargs"]["mostly"], found["meta"]["severity"]) == (0.96, "batch")


def of_category(values: list[str]) -> list[tuple[str, float]]:
    frame = sample([1.0] * len(values)).assign(c=values)
    sets = [
        one for one in propose_suite(frame, spec_of())["expectations"] if one["type"].endswith("in_set") and one["kwargs"]["column"] == "c"
    ]
    return [(one["meta"]["severity"], one["kwargs"].get("mostly", 1)) for one in sets]


def test_many_rows_of_unknown_categories_refuse_the_batch_where_the_sample_knew_them_all_in_time() -> None:
    assert of_category(["a", "b"] * 20) == [("warn", 1), ("batch", 0.95)]
    assert of_category(["spring"] * 20 + ["summer"] * 20 + ["autumn"] * 10) == [("warn", 1)], "winter may come"


def once(frame: pd.DataFrame, key: list[str]) -> dict[str, float]:
    spec = spec_of()
    spec = spec.model_copy(update={"columns": spec.columns.model_copy(update={"key": key})})
    return {
        str(one["kwargs"].get("column", one["kwargs"].get("column_list"))): one["kwargs"]["mostly"]
        for one in propose_suite(frame, spec)["expectations"]
        if "unique" in one["type"] and one["meta"]["severity"] == "batch"
    }


def test_what_names_a_row_in_the_sample_is_there_once_and_else_all_columns_together() -> None:
    frame = sample([1.0, 2.0, 3.0, 4.0])
    assert once(frame, ["id"]) == {"id": 0.99}
    assert once(frame.assign(at=["1", "2", "3", "4"]), ["id"]) == {"id": 0.99, "at": 0.99}
    assert once(frame, []) == {"['at', 'n', 'c', 'y']": 0.99}
    assert once(sample([1.0] * 8), []) == {}, "where most rows are alike, repetition says nothing"


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
