"""Any prefix of a segment's bytes yields exactly the complete batches, and readers come back to a torn tail."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import traffic_frames, traffic_segments
from adapters.traffic_log import TrafficLog
from adapters.traffic_segments import frame, split_frames
from contracts.traffic import AnsweredBatch, FeedbackBatch, Position, ShadowBatch


def answered(number: int, rows: int = 1) -> AnsweredBatch:
    return AnsweredBatch(
        "p", "3", 2, "champion", 1.0, 10 + number, 1500, [f"r{number}"] * rows, list(range(rows)), [number * 1_000_000] * rows,
        [None] * rows, {"a": [float(number)] * rows, "b": ["x"] * rows}, [0.5] * rows,
    )  # fmt: skip


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.data())
def test_any_prefix_of_bytes_yields_exactly_the_complete_batches(sizes: list[int], data: st.DataObject) -> None:
    frames = [frame(answered(number, rows)) for number, rows in enumerate(sizes)]
    cut = data.draw(st.integers(0, sum(map(len, frames))))
    whole = sum(sum(map(len, frames[: count + 1])) <= cut for count in range(len(frames)))
    assert len(list(split_frames(b"".join(frames)[:cut]))) == whole


@given(st.data())
def test_a_flipped_bit_never_yields_a_batch_that_was_not_written(data: st.DataObject) -> None:
    frames = [frame(answered(number)) for number in range(3)]
    spoiled = bytearray(b"".join(frames))
    place = data.draw(st.integers(0, len(spoiled) - 1))
    spoiled[place] ^= 1 << data.draw(st.integers(0, 7))
    written = {one[8:] for one in frames}
    assert {body for body, _ in split_frames(bytes(spoiled))} < written


def test_a_reader_goes_on_where_it_stopped_and_sees_what_completes_a_torn_tail(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    log.append(answered(1))
    segment = next((tmp_path / "answers").glob("*.seg"))
    second = frame(answered(2))
    with segment.open("ab") as file:
        file.write(second[:20])
    first, position = log.follow(AnsweredBatch, "answers", Position())
    assert [batch.request_ids for batch in first] == [["r1"]]
    with segment.open("ab") as file:
        file.write(second[20:])
    rest, _ = log.follow(AnsweredBatch, "answers", position)
    assert [batch.request_ids for batch in rest] == [["r2"]]


def test_a_bounded_read_leaves_the_rest_for_the_next(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    for number in range(5):
        log.append(answered(number))
    first, position = log.follow(AnsweredBatch, "answers", Position(), max_batches=2)
    rest, _ = log.follow(AnsweredBatch, "answers", position)
    assert ([b.request_ids[0] for b in first], [b.request_ids[0] for b in rest]) == (["r0", "r1"], ["r2", "r3", "r4"])


def test_a_reader_that_takes_small_pieces_finds_frames_larger_than_one_and_stops_at_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_segments, "_PIECE_BYTES", 7)
    log = TrafficLog(tmp_path)
    for number in range(5):
        log.append(answered(number, rows=1 + 20 * (number % 2)))
    assert len(log.read(AnsweredBatch, "answers")) == 5
    segment = next((tmp_path / "answers").glob("*.seg"))
    spoiled = bytearray(segment.read_bytes())
    spoiled[len(frame(answered(0))) + 30] ^= 1
    segment.write_bytes(spoiled)
    found, position = log.follow(AnsweredBatch, "answers", Position())
    assert (len(found), position.offsets[segment.name]) == (1, len(frame(answered(0))))


def test_what_was_appended_survives_a_kill_dash_nine(tmp_path: Path) -> None:
    code = (
        "import os, signal, pathlib; from tests.adapters.test_traffic_log import answered; from adapters.traffic_log import TrafficLog\n"
        f"log = TrafficLog(pathlib.Path({str(tmp_path)!r}))\n"
        "for number in range(200): log.append(answered(number))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])})
    assert done.returncode == -9
    assert len(TrafficLog(tmp_path).read(AnsweredBatch, "answers")) == 200


def test_a_full_disk_takes_back_the_part_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = TrafficLog(tmp_path)
    log.append(answered(1))
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real_write(file, data[:10]))
    with pytest.raises(OSError, match="wrote 10 of"):
        log.append(answered(2))
    monkeypatch.undo()
    log.append(answered(3))
    assert [batch.request_ids for batch in log.read(AnsweredBatch, "answers")] == [["r1"], ["r3"]]


def test_frames_hold_one_row_per_answered_row_and_the_last_feedback_counts(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    log.append(answered(1, rows=2))
    log.append(FeedbackBatch("p", 1, ["r1", "r1"], [0, 1], [5.0, 6.0], [None, None], [0, 0]))
    log.append(FeedbackBatch("p", 2, ["r1"], [1], [7.0], [None], [0]))
    log.append(ShadowBatch("p", "4", 2, 0, 900, ["r1", "r1"], [0, 1], [0.1, 0.2]))
    log.append(ShadowBatch("p", "4", 2, 0, 900, ["r2"], [0], [], "ValueError: no"))
    assert traffic_frames.answers(log)[["request_id", "row", "version", "latency_ms"]].values.tolist() == [
        ["r1", 0, "3", 1.5],
        ["r1", 1, "3", 1.5],
    ]
    assert traffic_frames.feedback(log)[["row", "label"]].values.tolist() == [[0, 5.0], [1, 7.0]]
    assert traffic_frames.shadow_answers(log, "4")["error"].tolist() == [None, None, "ValueError: no"]
    assert traffic_frames.features(log)["b"].tolist() == ["x", "x"]


def test_a_reward_that_comes_after_a_label_does_not_take_it_away(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    log.append(FeedbackBatch("p", 9, ["r1"], [0], [None], [2.5], [0]))
    log.append(FeedbackBatch("p", 1, ["r1"], [0], ["yes"], [None], [0]))
    assert traffic_frames.feedback(log)[["label", "reward"]].values.tolist() == [["yes", 2.5]]


def test_frames_leave_out_segments_that_nobody_wrote_to_since(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    log.append(answered(1, rows=3))
    os.utime(next((tmp_path / "answers").glob("*.seg")), (1000, 1000))
    TrafficLog(tmp_path).append(answered(2))
    since = datetime.fromtimestamp(2000, UTC)
    assert traffic_frames.answers(log)["request_id"].tolist() == ["r1"] * 3 + ["r2"]
    assert traffic_frames.answers(log)["batch"].tolist() == [0, 0, 0, 1]
    assert traffic_frames.answers(log, since)["request_id"].tolist() == ["r2"]


def test_a_row_that_a_restarted_shadow_answered_twice_counts_once_in_each_epoch(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path)
    log.append(ShadowBatch("p", "4", 2, 0, 900, ["r1", "r1"], [0, 1], [0.1, 0.2]))
    log.append(ShadowBatch("p", "4", 2, 1, 900, ["r1"], [1], [0.3]))
    log.append(ShadowBatch("p", "4", 3, 2, 900, ["r1"], [1], [0.4]))
    found = traffic_frames.shadow_answers(log, "4")[["row", "epoch", "prediction"]]
    assert found.values.tolist() == [[0, 2, 0.1], [1, 2, 0.3], [1, 3, 0.4]]


def test_an_empty_log_gives_empty_frames_with_their_columns(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path / "nothing")
    assert list(traffic_frames.answers(log))[:3] == ["request_id", "row", "event_time"]
    assert len(traffic_frames.feedback(log)) == len(traffic_frames.shadow_answers(log, "1")) == len(traffic_frames.failures(log)) == 0
    assert log.watermark() is None
