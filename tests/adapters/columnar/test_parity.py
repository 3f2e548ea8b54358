"""Both engines give the same answers: success, how many fail, which rows, and examples, on clean and dirty data."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from adapters.checks import run_suite, run_suite_on_files, write_failing
from adapters.columnar.engine import ask_columnar
from adapters.columnar.known import KNOWN
from adapters.columnar.table import open_frame, open_parquet
from adapters.expectations import ask_great_expectations
from adapters.suite_answers import Answer, read_suite
from contracts.checks import Engine
from contracts.errors import SpecError

ASKED: dict[str, list[dict[str, Any]]] = {
    "column_values_to_not_be_null": [{"column": one} for one in ("i", "f", "s", "t", "b")] + [{"column": "f", "mostly": 0.7}],
    "column_values_to_be_null": [{"column": "f"}, {"column": "s", "mostly": 0.2}],
    "column_values_to_be_between": [
        {"column": "i", "min_value": 0, "max_value": 2},
        {"column": "i", "min_value": 0, "strict_min": True, "mostly": 0.5},
        {"column": "f", "min_value": -1.5, "max_value": 2, "strict_max": True},
        {"column": "f", "max_value": 0.0, "mostly": 0.9},
        {"column": "i", "min_value": 0.5},
        {"column": "t", "min_value": "2026-01-02T00:00:00", "max_value": "2026-01-03T12:00:00", "strict_min": True},
        {"column": "n", "min_value": "2026-01-02T00:00:00.000001"},
        {"column": "z", "max_value": "2026-01-02T00:00:00+01:00"},
    ],
    "column_values_to_be_in_set": [
        {"column": "i", "value_set": [0, 1]},
        {"column": "f", "value_set": [0, 1.5]},
        {"column": "s", "value_set": ["a", "it's", ""]},
        {"column": "b", "value_set": [True]},
    ],
    "column_values_to_not_be_in_set": [{"column": "i", "value_set": [2, 7]}, {"column": "s", "value_set": ["b"], "mostly": 0.5}],
    "column_values_to_match_regex": [
        {"column": "s", "regex": one} for one in (r"^[ab]\d*$", r"\d", r"^.{1,2}$", r"(?:a|b)+$", r"^a\n?b", r"[^\d]")
    ],
    "column_values_to_not_match_regex": [{"column": "s", "regex": r"^$"}, {"column": "s", "regex": "a.*b|'", "mostly": 0.5}],
    "column_values_to_be_unique": [{"column": one} for one in ("i", "f", "s", "t", "b")] + [{"column": "s", "mostly": 0.4}],
    "column_value_lengths_to_be_between": [
        {"column": "s", "min_value": 1, "max_value": 2},
        {"column": "s", "max_value": 2, "strict_max": True},
    ],
    "column_value_lengths_to_equal": [{"column": "s", "value": 1}],
    "compound_columns_to_be_unique": [
        {"column_list": ["i", "s"]},
        {"column_list": ["f", "b"], "ignore_row_if": "any_value_is_missing"},
        {"column_list": ["f", "s"], "ignore_row_if": "never", "mostly": 0.5},
    ],
    "column_pair_values_a_to_be_greater_than_b": [
        {"column_A": "i", "column_B": "f"},
        {"column_A": "f", "column_B": "i", "or_equal": True, "ignore_row_if": "either_value_is_missing"},
        {"column_A": "f", "column_B": "f2", "ignore_row_if": "neither", "mostly": 0.4},
    ],
    "column_pair_values_to_be_equal": [{"column_A": "f", "column_B": "f2"}, {"column_A": "i", "column_B": "f", "ignore_row_if": "neither"}],
    "column_values_to_be_of_type": [
        {"column": one, "type_": kind}
        for one, kind in (
            ("i", "int64"),
            ("i", "int"),
            ("f", "float64"),
            ("s", "str"),
            ("b", "bool"),
            ("t", "datetime64"),
            ("i", "StringDtype"),
        )
    ],
    "column_min_to_be_between": [{"column": "i", "min_value": 0}, {"column": "f", "min_value": -1, "max_value": 5}],
    "column_max_to_be_between": [
        {"column": "f", "max_value": 2, "strict_max": True},
        {"column": "t", "max_value": "2026-01-03T00:00:00"},
        {"column": "z", "min_value": "2026-01-02T00:00:00Z"},
    ],
    "column_mean_to_be_between": [{"column": "i", "min_value": 0.5, "max_value": 2}, {"column": "f", "max_value": 1}],
    "column_sum_to_be_between": [{"column": "i", "min_value": 3}, {"column": "f", "max_value": 3.5}],
    "column_stdev_to_be_between": [{"column": "i", "max_value": 1.2}, {"column": "f", "min_value": 0.1}],
    "column_median_to_be_between": [{"column": "i", "min_value": 1}, {"column": "f", "max_value": 1}],
    "column_quantile_values_to_be_between": [
        {"column": "f", "quantile_ranges": {"quantiles": [0.0, 0.3, 0.5, 1.0], "value_ranges": [[None, 1], [-1, 1], [0, 2], [0, None]]}},
        {"column": "i", "quantile_ranges": {"quantiles": [0.5, 0.9], "value_ranges": [[0, 1], [0, 3]]}},
    ],
    "column_unique_value_count_to_be_between": [{"column": one, "min_value": 2, "max_value": 3} for one in ("i", "f", "s", "b", "t")],
    "column_proportion_of_unique_values_to_be_between": [
        {"column": "s", "min_value": 0.5},
        {"column": "f", "max_value": 0.9, "strict_max": True},
    ],
    "column_proportion_of_non_null_values_to_be_between": [{"column": "f", "min_value": 0.6}, {"column": "s", "min_value": 1}],
    "column_distinct_values_to_be_in_set": [{"column": "s", "value_set": ["a", "b"]}, {"column": "i", "value_set": [0, 1, 2]}],
    "column_distinct_values_to_contain_set": [{"column": "s", "value_set": ["a", "b"]}, {"column": "i", "value_set": [0, 1]}],
    "column_distinct_values_to_equal_set": [{"column": "s", "value_set": ["a"]}, {"column": "i", "value_set": [0, 1, 2]}],
    "column_to_exist": [{"column": "i"}, {"column": "i", "column_index": 1}, {"column": "gone"}],
    "table_columns_to_match_set": [{"column_set": ["i", "gone"]}, {"column_set": ["i", "f"], "exact_match": False}],
    "table_columns_to_match_ordered_list": [
        {"column_list": ["i", "f", "gone"]},
        {"column_list": ["i", "f", "f2", "s", "b", "t", "n", "z"]},
    ],
    "table_row_count_to_be_between": [{"min_value": 5}, {"min_value": 1, "max_value": 7}],
    "table_row_count_to_equal": [{"value": 6}],
    "table_column_count_to_be_between": [{"max_value": 7}],
    "table_column_count_to_equal": [{"value": 8}],
}
SUITE = {"expectations": [{"type": f"expect_{kind}", "kwargs": one} for kind, those in ASKED.items() for one in those]}
_ABOUT_VALUES = (
    "unexpected_count",
    "element_count",
    "missing_count",
    "partial_unexpected_list",
    "unexpected_index_list",
    "partial_missing_list",
)

_times = st.one_of(st.none(), st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 4)))
_rows = st.lists(
    st.tuples(
        st.integers(-2, 4),
        st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.5, 2.0, math.nan, 1e300, -7.25]), st.floats(-3, 3)),
        st.one_of(st.none(), st.sampled_from([0.0, 1.5, 2.0])),
        st.one_of(st.none(), st.sampled_from(["a", "b", "a1", "b٣", "it's", "", "a\n", "é👍", "ab\n\n"]), st.text("ab1\n'", max_size=3)),
        st.booleans(),
        _times,
    ),
    min_size=0,
    max_size=9,
)


def frame_of(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    columns = dict(zip(("i", "f", "f2", "s", "b", "t"), zip(*rows, strict=True) if rows else [()] * 6, strict=True))
    types = {"i": "int64", "f": "float64", "f2": "float64", "s": "str", "b": "bool", "t": "datetime64[us]"}
    frame = pd.DataFrame({name: pd.Series(list(columns[name]), dtype=kind) for name, kind in types.items()})
    return frame.assign(n=frame["t"].astype("datetime64[ns]"), z=frame["t"].dt.tz_localize("UTC"))


def differences(ours: Answer, theirs: Answer) -> list[str]:
    """Return what two answers to one expectation say differently, with both of them."""
    what = f"{ours.asked.kind} {ours.asked.kwargs}\n  columnar: {ours}\n  theirs: {theirs}"
    found = [] if theirs.error is None else ["error"]
    found += [] if ours.success == theirs.success else ["success"]
    for name in _ABOUT_VALUES:
        mine, other = ours.result.get(name), theirs.result.get(name)
        if name == "partial_unexpected_list" and "partial_unexpected_list" not in theirs.result:
            continue
        if name == "partial_missing_list" and mine is not None and other is not None:
            other = sorted(other)  # theirs is in no order
        found += [] if same(mine, other) else [f"{name}: {mine} != {other}"]
    observed = (ours.result.get("observed_value"), theirs.result.get("observed_value"))
    found += [] if same(*observed) or (observed[1] is None and same(observed[0], math.nan)) else ["observed_value"]
    return [f"{one}\n{what}" for one in found]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if one is None or other is None or one is pd.NaT or other is pd.NaT:
        return bool(pd.isna(one)) and bool(pd.isna(other))
    if isinstance(one, float) or isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    return bool(one == other)


def compared(frame: pd.DataFrame) -> list[str]:
    """Return what the two engines say differently of a table; the columnar one leaves nothing to the other here."""
    asked = read_suite(SUITE)
    with open_frame(frame) as table:
        assert table is not None
        answers, left = ask_columnar(asked, table)
    theirs = {one.asked.position: one for one in ask_great_expectations(asked, frame)}
    unanswered = [f"{one.kind} {one.kwargs} was left to Great Expectations" for one in left]
    return unanswered + [said for one in answers for said in differences(one, theirs[one.asked.position])]


def test_every_expectation_that_the_columnar_engine_knows_is_compared() -> None:
    assert set(ASKED) == set(KNOWN)


@settings(  # an example takes half a second: what fails is shown as drawn, not shrunk for minutes
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate]
)
@example([(0, 1e300, None, None, False, None), (0, 0.0, None, None, False, None)])  # its square is beyond a float
@given(_rows)
def test_both_engines_agree_on_any_table(rows: list[tuple[Any, ...]]) -> None:
    assert compared(frame_of(rows)) == []


def test_both_engines_agree_on_a_clean_and_on_an_empty_table() -> None:
    clean = frame_of([(one, one / 2, 1.5, f"a{one}", one % 2 == 0, datetime(2026, 1, 1 + one)) for one in range(4)])
    assert compared(clean) == []
    assert compared(frame_of([])) == []


def test_whole_numbers_with_holes_in_parquet_are_judged_as_pandas_reads_them(tmp_path: Path) -> None:
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    schema = pa.schema({"i": pa.int64(), "s": pa.string(), "f": pa.float64()})
    parquet.write_table(pa.table({"i": [1, None, 3], "s": ["a", None, "b"], "f": [1.0, math.nan, None]}, schema), paths[0])
    parquet.write_table(pa.table({"i": [3, 9], "s": ["b", "c"], "f": [math.nan, 9.0]}, schema), paths[1])
    kinds = ("values_to_be_between", "values_to_be_unique", "values_to_not_be_null", "values_to_be_of_type", "max_to_be_between")
    extra = {"values_to_be_between": {"max_value": 2}, "max_to_be_between": {"max_value": 2}, "values_to_be_of_type": {"type_": "float64"}}
    suite = {
        "expectations": [
            {"type": f"expect_column_{kind}", "kwargs": {"column": one, **extra.get(kind, {})}} for kind in kinds for one in "if"
        ]
    }
    asked = read_suite(suite)
    with open_parquet(paths) as table:
        answers, left = ask_columnar(asked, table)
    whole = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
    theirs = {one.asked.position: one for one in ask_great_expectations(asked, whole)}
    assert left == []
    assert [said for one in answers for said in differences(one, theirs[one.asked.position])] == []
    found = run_suite_on_files(suite, paths).results[0]
    assert (found.rows, found.unexpected, found.engine) == ((2, 3, 4), 3, "columnar")
    assert "e.g. 3, 9." in found.reason


@pytest.mark.parametrize("column", ["infinite", "mixed", "categories", "small"])
def test_what_is_not_certain_is_left_to_great_expectations(column: str) -> None:
    frame = pd.DataFrame(
        {
            "infinite": [1.0, math.inf],
            "mixed": pd.Series(["a", "b"], dtype="object"),
            "categories": pd.Categorical(["a", "b"]),
            "small": pd.Series([0.1, 0.2], dtype="float32"),
        }
    )
    kind, more = ("mean_to_be_between", {"min_value": 0}) if column == "infinite" else ("values_to_be_of_type", {"type_": "str"})
    asked = read_suite({"expectations": [{"type": f"expect_column_{kind}", "kwargs": {"column": column, **more}}]})
    with open_frame(frame) as table:
        assert table is not None
        assert ask_columnar(asked, table) == ([], asked)


def test_failing_rows_come_whole_with_every_reason_and_in_order(tmp_path: Path) -> None:
    path, to = tmp_path / "in.parquet", tmp_path / "aside.parquet"
    frame = pd.DataFrame({"i": [1, 2, 2, 9, 5], "s": ["a", "b", "b", "c", None]})
    frame.to_parquet(path)
    kinds = [
        ("values_to_be_unique", {"column": "i"}),
        ("values_to_be_between", {"column": "i", "max_value": 8}),
        ("values_to_be_increasing", {"column": "i"}),
    ]
    suite = {"expectations": [{"type": f"expect_column_{kind}", "kwargs": one} for kind, one in kinds]}
    answer = run_suite_on_files(suite, [path])
    assert [one.engine for one in answer.results] == ["columnar", "columnar", "great_expectations"]
    assert write_failing(suite, [path], answer, [0, 1, 2], "why", to) == 4
    aside = pd.read_parquet(to)
    assert aside[["i", "s"]].equals(frame.iloc[[1, 2, 3, 4]].reset_index(drop=True))
    unique, between, rising = (f"expect_column_{kind}(i)" for kind, _ in kinds)
    assert aside["why"].tolist() == [unique, unique, between, rising]


def test_the_columnar_engine_alone_refuses_what_it_cannot_answer() -> None:
    suite = {"expectations": [{"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "i"}}]}
    with pytest.raises(SpecError, match=r"cannot answer expect_column_values_to_be_increasing \(number 1\)"):
        run_suite(suite, pd.DataFrame({"i": [1]}), engine="columnar")


@pytest.mark.parametrize("engine", ["auto", "great_expectations"])
def test_the_page_is_the_same_kind_whoever_answered(engine: Engine, tmp_path: Path) -> None:
    suite = {
        "expectations": [
            {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "s", "value_set": ["x"]}, "meta": {"severity": "row"}}
        ]
    }
    answer = run_suite(suite, pd.DataFrame({"s": ["x", "odd one", "odd one"]}), tmp_path, engine=engine)
    page = (tmp_path / "index.html").read_text()
    assert answer.results[0].engine == ("columnar" if engine == "auto" else engine)
    assert answer.results[0].rows == (1, 2)
    assert "odd one" in page
    assert "66.7" in page or "66.66" in page
