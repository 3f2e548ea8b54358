"""SQL over the traffic log answers what a hand count says, over features that change, and reads nothing else."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.traffic_log import TrafficLog
from adapters.traffic_sql import ask_traffic
from contracts.errors import UsageError
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, ShadowBatch

AT = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z


def answered(request: str, features: dict[str, list[Any]], predictions: list[Any], version: str = "1") -> AnsweredBatch:
    n = len(predictions)
    return AnsweredBatch(
        "p",
        version,
        3,
        "champion",
        1.0,
        AT,
        900,
        [request] * n,
        list(range(n)),
        [AT + one for one in range(n)],
        ["u"] * n,
        features,
        predictions,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = TrafficLog(tmp_path)
    log.append(answered("a", {"price": [1.5, None], "kind": ["x", None], "row": [7, 8]}, [0.25, 0.75]))
    log.append(answered("b", {"price": [3], "kind": ["y"], "fresh": [True], "row": [9]}, [0.5], version="2"))
    log.append(FeedbackBatch("p", AT + 10, ["a", "a"], [0, 1], [0, 1], [None, 2.5], [AT, AT]))
    log.append(FeedbackBatch("p", AT + 20, ["a"], [0], [1], [1.0], [AT + 5]))
    log.append(FailedBatch("p", "2", 3, AT, ["c", "d"], "broke"))
    log.append(ShadowBatch("p", "3", 3, AT, 10, ["a", "a"], [0, 1], [0.1, 0.2]))
    log.append(ShadowBatch("p", "4", 3, AT, 10, ["b"], [0], [], error="no"))
    return tmp_path


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT count(*), sum(prediction) FROM answers", [(3, 1.5)]),
        ("SELECT version, count(*) FROM answers GROUP BY ALL ORDER BY ALL", [("1", 2), ("2", 1)]),
        (
            'SELECT price, kind, fresh, feature_row FROM answers ORDER BY request_id, "row"',
            [(1.5, "x", None, 7), (None, None, None, 8), (3.0, "y", True, 9)],
        ),
        (
            'SELECT request_id, "row", label, reward FROM labelled ORDER BY ALL',
            [("a", 0, "1", 1.0), ("a", 1, "1", 2.5), ("b", 0, None, None)],
        ),
        ("SELECT count(*) FROM feedback", [(3,)]),
        ("SELECT request_id FROM failures ORDER BY 1", [("c",), ("d",)]),
        ("SELECT version, prediction, error FROM shadow ORDER BY ALL", [("3", 0.1, None), ("3", 0.2, None), ("4", None, "no")]),
        ("SELECT min(event_time) FROM answers", [(datetime(2026, 3, 1),)]),
        ("SELECT count(*) FROM answers JOIN shadow USING (request_id, \"row\")", [(3,)]),
    ],
)  # fmt: skip
def test_a_question_is_answered_as_counted_by_hand(folder: Path, sql: str, rows: list[tuple[Any, ...]]):
    assert ask_traffic(folder, sql)[1] == rows


def test_a_column_that_changes_its_type_becomes_text_and_keeps_its_values(tmp_path: Path):
    log = TrafficLog(tmp_path)
    log.append(answered("a", {"size": [1] * 50_001}, [0.5] * 50_001))
    log.append(answered("b", {"size": ["large"]}, [0.5]))
    assert ask_traffic(tmp_path, "SELECT size, count(*) FROM answers GROUP BY size ORDER BY size")[1] == [("1", 50_001), ("large", 1)]


def test_a_column_keeps_its_type_where_later_rows_have_no_value(tmp_path: Path):
    log = TrafficLog(tmp_path)
    log.append(answered("a", {"new": [True] * 50_001}, [0.5] * 50_001))
    log.append(answered("b", {"new": [None]}, [0.5]))
    assert ask_traffic(tmp_path, "SELECT count(*) FILTER (new), count(*) FROM answers")[1] == [(50_001, 50_002)]


def test_probabilities_of_many_classes_are_a_list(tmp_path: Path):
    TrafficLog(tmp_path).append(answered("a", {}, [[0.2, 0.3, 0.5]]))
    assert ask_traffic(tmp_path, "SELECT probabilities[3], prediction FROM answers")[1] == [(0.5, None)]


def test_an_empty_log_has_empty_tables(tmp_path: Path):
    assert ask_traffic(tmp_path / "none", "SELECT count(*) FROM labelled")[1] == [(0,)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled"),
        ("DROP TABLE answers", "Only one SELECT"),
        ("SELECT 1; SELECT 2", "Only one SELECT"),
        ("COPY answers TO 'out.csv'", "Only one SELECT"),
        ("SET enable_external_access = true", "Only one SELECT"),
        ("SELECT nothing FROM answers", "nothing"),
        ("SELEC", "syntax"),
    ],
)
def test_what_is_no_question_about_the_log_is_refused_in_words(folder: Path, sql: str, words: str):
    with pytest.raises(UsageError, match=words):
        ask_traffic(folder, sql)
