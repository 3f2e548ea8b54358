"""Great Expectations runs in memory, says which rows fail, and its page loads nothing from outside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from adapters.checks import run_suite
from contracts.errors import SpecError
from contracts.expectation import ExpectationResult
from contracts.spec import PipelineSpec
from contracts.verdict import Outcome
from data_checks.propose import propose_suite
from data_checks.quarantine import split
from data_checks.verdicts import check_verdicts

FRAME = pd.DataFrame({"a": [1.0, 50.0, 3.0, None], "b": ["x", "y", "x", "z"]}, index=[7, 8, 9, 10])


def one(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def run(*expectations: dict[str, Any]) -> dict[str, ExpectationResult]:
    answer = run_suite({"name": "s", "expectations": list(expectations)}, FRAME)
    return {result.kind.removeprefix("expect_"): result for result in answer.results}


def test_failing_rows_are_named_by_position_whatever_the_index() -> None:
    found = run(one("column_values_to_be_between", column="a", max_value=10), one("column_values_to_not_be_null", column="a"))
    assert found["column_values_to_be_between"].rows == (1,)
    assert found["column_values_to_not_be_null"].rows == (3,)
    assert found["column_values_to_be_between"].reason == "a column values to be between (max_value=10) fails for 1 of 4 rows, e.g. 50."


def test_an_expectation_on_an_absent_column_is_an_error_that_refuses() -> None:
    answer = run_suite({"expectations": [one("column_values_to_not_be_null", column="gone")]}, FRAME)
    assert answer.results[0].error is not None
    assert "gone" in answer.results[0].reason
    assert check_verdicts(answer, 0, 1.0)[0].outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        (one("nothing"), "Expectation 1 of the suite has the type 'expect_nothing', which Great Expectations does not know."),
        (one("column_values_to_not_be_null", colum="a"), "(expect_column_values_to_not_be_null) is not accepted: column; field required"),
        (
            one("column_values_to_not_be_null", column="a") | {"meta": {"severity": "loud"}},
            "has severity 'loud'. Write row, batch or warn.",
        ),
    ],
)
def test_mistakes_in_a_suite_are_named(suite: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        run(suite)
    assert message in str(caught.value)


def test_the_page_is_there_and_loads_nothing(tmp_path: Path) -> None:
    answer = run_suite({"expectations": [one("column_values_to_be_in_set", column="b", value_set=["x", "y"])]}, FRAME, tmp_path / "docs")
    assert answer.docs == str(tmp_path / "docs" / "index.html")
    page = Path(answer.docs).read_text(encoding="utf-8")
    assert "Expectation" in page
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", page) == []


def test_the_proposed_suite_passes_on_the_real_file_and_catches_damage(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "bike_sharing" / "hour.csv")
    spec = PipelineSpec.model_validate(
        {
            "name": "bike",
            "task": "regression",
            "source": {"kind": "file", "path": "hour.csv"},
            "columns": {
                "time": {"from": ["dteday", "hr"], "format": "%Y-%m-%d %H"},
                "key": ["instant"],
                "target": "cnt",
                "features": {"numeric": ["temp", "atemp", "hum", "windspeed"], "categorical": ["season", "hr", "weathersit"]},
            },
            "train": {"holdout": "14d", "estimator": "x.y"},
            "gates": [{"metric": "mae", "max": 100}],
            "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
        }
    )
    suite = propose_suite(frame, spec)
    answer = run_suite(suite, frame)
    assert [result.reason for result in answer.results if not result.success] == []
    frame.loc[[100, 200], "temp"] = [9.9, float("nan")]
    frame.loc[300, "cnt"] = -4
    parts = split(frame, run_suite(suite, frame))
    assert parts.quarantined["instant"].tolist() == [101, 201, 301]
