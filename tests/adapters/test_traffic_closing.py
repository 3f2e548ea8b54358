"""Live and closed segments are one log: each batch once, as it was, while they are closed and whatever is killed meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import traffic_frames
from adapters.traffic_closed import About, ClosedPart
from adapters.traffic_closing import close_segments
from adapters.traffic_log import TrafficLog, stream_of
from adapters.traffic_rules import TrafficRules
from adapters.traffic_segments import Batch, frame
from adapters.traffic_sql import ask_traffic
from contracts.traffic import AnsweredBatch, FailedBatch, FeedbackBatch, Position, ShadowBatch
from tests.adapters.test_traffic_sql import answered

ROOT = Path(__file__).parents[2]
SMALL = TrafficRules(segment_bytes=1)  # a segment for each batch


def silent(_said: str) -> None:
    """Nobody listens."""


@pytest.fixture(autouse=True)
def _no_disk_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _file: None)


def close(folder: Path) -> int:
    return sum(close_segments(stream, silent) for stream in sorted(folder.iterdir()))


def told(log: TrafficLog) -> list[pd.DataFrame]:
    return [
        traffic_frames.answers(log), traffic_frames.features(log), traffic_frames.feedback(log), traffic_frames.failures(log),
        traffic_frames.shadow_answers(log, "4"),
    ]  # fmt: skip


def asked(folder: Path) -> list[str]:
    tables = ("answers", "failures", "feedback", "shadow", "labelled")
    return [row for one in tables for row in sorted(_named(*ask_traffic(folder, f"SELECT * FROM {one}")))]


def _named(names: list[str], rows: list[tuple[Any, ...]]) -> list[str]:
    return [repr({name: value for name, value in sorted(zip(names, row, strict=True)) if value is not None}) for row in rows]


values = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=5))
kinds = [st.floats(allow_nan=False), st.one_of(st.none(), st.text(max_size=5)), st.integers(-(2**62), 2**62), st.booleans(), values]
column = st.one_of([st.lists(one, min_size=2, max_size=2) for one in kinds])
name = st.sampled_from(["price", "row", "feature_row", "_frame", "kind", "label"])


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    at, ids = draw(st.integers(0, 2**50)), draw(st.lists(st.text(max_size=4), min_size=2, max_size=2))
    told = draw(st.one_of(st.lists(st.floats(0, 1), min_size=2, max_size=2), st.just([[0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])))
    match draw(st.sampled_from(["answered", "failed", "feedback", "shadow"])):
        case "answered":
            features = draw(st.dictionaries(name, column, max_size=4))
            return AnsweredBatch("p", "3", 2, "champion", 0.5, at, 90, ids, [0, 1], [at, at + 1], ["u", None], features, told)
        case "failed":
            return FailedBatch("p", "3", 2, at, ids, "broke")
        case "feedback":
            reward = st.one_of(st.none(), st.floats(allow_nan=False), st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=2))
            return FeedbackBatch("p", at, ids, [0, 1], draw(column), draw(st.lists(reward, min_size=2, max_size=2)), [at, 7])
        case _:
            error = draw(st.one_of(st.none(), st.just("ValueError: no")))
            return ShadowBatch("p", "4", 2, at, 90, ids, [0, 1], [] if error else told, error)


@settings(max_examples=60, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=6), st.integers(1, 400))
def test_every_batch_comes_back_from_parquet_as_it_was(tmp_path_factory: pytest.TempPathFactory, written: list[Batch], size: int) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = TrafficLog(folder, TrafficRules(segment_bytes=size))
    for one in written:
        log.append(one)
    streams = {stream_of(one): type(one) for one in written}
    before = {stream: log.read(kind, stream) for stream, kind in streams.items()}
    log.close()
    assert close(folder) > 0
    assert not list(folder.rglob("*.seg"))
    for stream, kind in streams.items():
        for was, now in zip(before[stream], log.read(kind, stream), strict=True):
            assert was == now
            assert list(getattr(was, "features", ())) == list(getattr(now, "features", ()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = TrafficLog(tmp_path / "p", SMALL)
    for number in range(3):
        log.append(answered(f"a{number}", {"price": [1.5, float("nan")], "kind": ["x", None], "row": [7, 8]}, [0.25, 0.75]))
        log.append(answered(f"b{number}", {"price": [3.0], "kind": ["y"], "fresh": [True], "row": [9]}, [0.5], version="2"))
        log.append(answered(f"c{number}", {"kind": [number], "fresh": ["new"]}, [[0.1, 0.9]], version="3"))
        log.append(FeedbackBatch("p", 10 + number, ["a0", "a1"], [0, 1], [0, "no"], [None, 2.5], [5, 6]))
        log.append(FeedbackBatch("p", 20 + number, ["a0"], [0], [1], [{"click": 1.0, "revenue": 2.0}], [7]))
        log.append(FailedBatch("p", "2", 3, 30 + number, ["c", "d"], "broke"))
        log.append(ShadowBatch("p", "4", 3, 40 + number, 10, [f"a{number}"] * 2, [0, 1], [0.1, 0.2]))
        log.append(ShadowBatch("p", "4", 3, 40 + number, 10, [f"b{number}"], [0], [], error="no"))
    log.close()
    return tmp_path / "p"


def test_frames_and_sql_say_the_same_of_a_live_a_half_closed_and_a_closed_log(folder: Path) -> None:
    frames, rows = told(TrafficLog(folder)), asked(folder)
    waiting = len(list(folder.rglob("*.seg")))
    for _ in range(2):
        half = sorted(folder.rglob("*.seg"))[::2]
        aside = [path.replace(path.with_suffix(".aside")) for path in half]
        close(folder)
        for path in aside:
            path.replace(path.with_suffix(".seg"))
        for before, now in zip(frames, told(TrafficLog(folder)), strict=True):
            pd.testing.assert_frame_equal(before, now)
        assert asked(folder) == rows
    assert 0 < len(list(folder.rglob("*.seg"))) < waiting
    close(folder)
    for before, now in zip(frames, told(TrafficLog(folder)), strict=True):
        pd.testing.assert_frame_equal(before, now)
    assert asked(folder) == rows


def test_a_reader_goes_on_in_a_segment_that_was_closed_under_it(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    for number in range(6):
        log.append(FailedBatch("p", "1", 1, number, [f"r{number}"], "broke"))
    first, position = log.follow(FailedBatch, "failures", Position(), max_batches=2)
    log.close()
    assert close(tmp_path) == 1
    second, position = log.follow(FailedBatch, "failures", position, max_batches=3)
    log.append(FailedBatch("p", "1", 1, 6, ["r6"], "broke"))
    third, _ = log.follow(FailedBatch, "failures", position)
    assert [one.request_ids[0] for one in [*first, *second, *third]] == [f"r{number}" for number in range(7)]


def test_a_reader_that_listed_a_segment_before_it_was_closed_reads_it_once(folder: Path) -> None:
    log = TrafficLog(folder)
    listed = log.parts("answers")
    first = next(listed)
    close(folder)
    found = [one for part in [first, *listed] for one in log.batches(part, AnsweredBatch)]
    assert [one.request_ids[0] for one in found] == [f"{who}{number}" for number in range(3) for who in "abc"]


STEPS = ("_schema", "_array", "_sync", "is_damaged", "Path.replace", "Path.unlink")
DRIVER = """
import os, pathlib, sys
from adapters import traffic_closing
os.fsync = lambda _file: None
for step in sys.argv[2:]:
    owner, name = (pathlib.Path, step[5:]) if step.startswith("Path.") else (traffic_closing, step)
    real, calls = getattr(owner, name), []
    def dies(*given):
        calls.append(1)
        return os.kill(os.getpid(), 9) if len(calls) == 2 else real(*given)
    if not os.fork():
        setattr(owner, name, dies)
        for stream in sorted((pathlib.Path(sys.argv[1]) / step).iterdir()):
            traffic_closing.close_segments(stream, print)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == -9, step
"""


def test_killed_at_any_step_of_closing_nothing_is_lost_or_doubled(folder: Path, tmp_path: Path) -> None:
    for stream in ("feedback", "failures", "shadow-4"):  # one is enough, and quicker
        shutil.rmtree(folder / stream)
    frames = told(TrafficLog(folder))
    for step in STEPS:
        shutil.copytree(folder, tmp_path / "killed" / step)
    subprocess.run([sys.executable, "-c", DRIVER, str(tmp_path / "killed"), *STEPS], check=True, cwd=ROOT)
    for step in STEPS:
        spoiled = tmp_path / "killed" / step
        assert len(list(spoiled.rglob("*.seg"))) >= len(list(folder.rglob("*.seg"))) - 2
        for before, now in zip(frames, told(TrafficLog(spoiled)), strict=True):
            pd.testing.assert_frame_equal(before, now)
        close(spoiled)
        assert not list(spoiled.rglob("*.seg"))
        for before, now in zip(frames, told(TrafficLog(spoiled)), strict=True):
            pd.testing.assert_frame_equal(before, now)


def test_a_segment_that_is_written_to_is_not_closed_and_one_whose_writer_was_killed_is(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    log.append(answered("a", {}, [0.5]))
    assert close(tmp_path) == 0
    code = (
        "import os, pathlib; from adapters.traffic_log import TrafficLog; from contracts.traffic import FailedBatch\n"
        f"log = TrafficLog(pathlib.Path({str(tmp_path)!r}))\n"
        "log.append(FailedBatch('p', '1', 1, 1, ['b'], 'broke')); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    (dead,) = (tmp_path / "failures").glob("*.seg")
    with dead.open("ab") as file:
        file.write(frame(FailedBatch("p", "1", 1, 2, ["c"], "broke"))[:30])  # it was killed while it wrote
    assert close(tmp_path) == 1
    assert not dead.exists()
    assert [one.request_ids for one in log.read(FailedBatch, "failures")] == [["b"]]
    assert [one.request_ids for one in log.read(AnsweredBatch, "answers")] == [["a"]]


def test_what_is_damaged_is_kept_and_named(folder: Path) -> None:
    segment = sorted((folder / "failures").glob("*.seg"))[1]
    segment.write_bytes(frame(FailedBatch("p", "2", 3, 1, ["e"], "broke")) + b"\x04\0\0\0----rest")
    words: list[str] = []
    close_segments(folder / "failures", words.append)
    assert [one.request_ids for one in TrafficLog(folder).read(FailedBatch, "failures")] == [["c", "d"], ["e"], ["c", "d"]]
    assert segment.with_suffix(".damaged").exists()
    assert "damaged behind byte" in words[0]


def test_an_old_segment_is_left_by_the_next_write_and_by_tending_a_silent_log(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path, TrafficRules(segment_age=timedelta(0)))
    log.append(answered("a", {}, [0.5]))
    log.append(answered("b", {}, [0.5]))
    assert close(tmp_path) == 1
    log.tend()
    assert close(tmp_path) == 1


def test_a_closed_segment_is_sorted_compressed_and_says_what_is_in_it(folder: Path) -> None:
    close(folder)
    part = next(TrafficLog(folder).parts("answers"))
    assert isinstance(part, ClosedPart)
    meta = pq.ParquetFile(part.path).metadata
    assert meta.row_group(0).column(0).compression == "ZSTD"
    assert [meta.schema.column(one.column_index).name for one in meta.row_group(0).sorting_columns] == ["_frame"]
    assert isinstance(part.about, About)
    assert (part.about.rows, part.about.batches, part.about.shapes) == (2, 1, [["price", "kind", "row"]])
    assert part.about.happened == (1_772_323_200_000_000, 1_772_323_200_000_001)


@pytest.mark.parametrize("fsync", ["none", "interval", "batch"])
def test_the_sync_policy_decides_who_waits_for_the_disk(tmp_path: Path, fsync: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    at = ["append"]
    monkeypatch.setattr(os, "fsync", lambda _file: synced.append(at[0]))
    log = TrafficLog(tmp_path, TrafficRules(fsync=fsync))
    for number in range(3):
        log.append(answered(f"a{number}", {}, [0.5]))
    at[0] = "tend"
    log.tend()
    log.tend()
    assert synced == {"none": [], "interval": ["tend"], "batch": ["append"] * 3}[fsync]
