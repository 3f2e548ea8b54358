"""A snapshot that is checked as a file, piece by piece, gets the answer that it gets whole, corrections and new columns included."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from adapters import checks_there
from adapters.data_repo import DataRepo
from adapters.pipeline_files import load_pipeline
from contracts.expectation import SuiteResult
from flows.stages.check import check_snapshot
from tests.flows.stages.test_ingest import table
from tests.flows.stages.test_ingest_late import Place

MONTH = 31 * 24
SUITE = [
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "max_value": 700}, "meta": {"severity": "row"}},
    {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
    {"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "event_time"}},  # Great Expectations' own engine answers
    {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "y", "min_value": 6}},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "z"}},
    {"type": "expect_table_row_count_to_equal", "kwargs": {"value": MONTH}},
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a snapshot of two batches: the second corrects rows of the first, is late with one and brings a column."""
    made, world = Place(tmp_path_factory.mktemp("checked"), lateness="2d"), table(MONTH)
    made.run(world.drop(index=[690]).head(700))
    world.loc[[680, 695], "y"] = 900.0
    made.run(world.assign(z=[float(one) for one in range(MONTH)]))
    (made.folder / "suite.json").write_text(json.dumps({"name": "sales", "expectations": SUITE}))
    return made


def said(answer: SuiteResult) -> list[object]:
    """Return what an answer says; in a file failing rows are counted and not listed, so that equal ones are one."""
    examples = [tuple(sorted({re.sub(r" \(row \d+\)$", "", each) for each in one.examples})) for one in answer.results]
    return [answer.rows, *(replace(one, rows=(), examples=few) for one, few in zip(answer.results, examples, strict=True))]


def test_a_large_snapshot_gets_the_answer_of_a_small_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = load_pipeline(place.settings, "sales")
    whole, history = check_snapshot(place.settings, pipeline)
    assert [(one.success, one.unexpected) for one in whole.results] == [
        (False, MONTH - 701),
        (True, 0),
        (True, 0),
        (True, None),
        (False, 653),  # the first batch ended with hour 700, and the second brought z for two days before that
        (True, None),
    ]
    monkeypatch.setattr(checks_there, "ROWS_PER_PART", 100)
    streamed, same_history = check_snapshot(place.settings, pipeline)
    assert said(streamed) == said(whole)
    assert same_history == history
    assert [one.name for one in place.settings.home.glob("tmp*")] == [], "the file was for the while"


def test_the_file_of_a_snapshot_holds_its_rows_in_their_order(place: Place, tmp_path: Path) -> None:
    from adapters.snapshot_stream import open_snapshot

    repo = DataRepo(place.settings)
    newest = repo.newest("sales")
    assert newest is not None
    with open_snapshot(repo.files(newest), newest.key) as stream:
        stream.write(tmp_path / "whole.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "whole.parquet"), repo.frame(newest), check_dtype=False)
