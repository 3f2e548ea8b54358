"""What was asked, as a frame: columns that come or go are missing where they were not asked, old batches can be left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.traffic_frames import features
from adapters.traffic_log import TrafficLog
from contracts.traffic import AnsweredBatch


def asked(number: int, columns: dict[str, list[Any]]) -> AnsweredBatch:
    count = len(next(iter(columns.values())))
    return AnsweredBatch(
        "p", "3", 2, "champion", 1.0, 10, 900, [f"r{number}"] * count, list(range(count)), [number * 1_000_000] * count,
        [None] * count, columns, [0.5] * count,
    )  # fmt: skip


def test_a_column_that_comes_later_or_stays_away_is_missing_there(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    for number, columns in enumerate([{"a": [1, 2]}, {"a": [3], "b": ["x"]}, {"b": ["y", "z"]}]):
        log.append(asked(number, columns))
    frame = features(log)
    assert [None if one != one else one for one in frame["a"]] == [1, 2, 3, None, None]
    assert [one if isinstance(one, str) else None for one in frame["b"]] == [None, None, "x", "y", "z"]
    assert frame["row"].tolist() == [0, 1, 0, 0, 1]


def test_batches_that_happened_before_the_window_are_left_out(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    for number in range(4):
        log.append(asked(number, {"a": [number]}))
    assert features(log, happened_after=datetime.fromtimestamp(1, UTC))["a"].tolist() == [2, 3]
    assert features(log, happened_after=datetime.fromtimestamp(9, UTC)).empty
    assert features(TrafficLog(tmp_path / "absent")).empty
