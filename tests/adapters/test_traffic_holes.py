"""What could not be logged is marked, where a full disk cannot prevent it, and found by who reads the log."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from adapters import traffic_holes
from adapters.traffic_holes import HoleMarker, clear_marks, read_holes
from adapters.traffic_log import TrafficLog
from contracts.traffic import AnsweredBatch

ROOT = Path(__file__).parents[2]
DRIVER = """
import os, pathlib, resource, signal
from adapters.process_log import configure_log
from contracts.traffic import AnsweredBatch
from serving.gateway.recorder import Recorder
lost = []
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write beyond the limit says EFBIG, and first writes the part that fits
recorder = Recorder(pathlib.Path(__import__("sys").argv[1]), "p", lost.append, configure_log("test"))
def answer(number, n=1):
    each = [f"r{number}"] * n, [0] * n, [0] * n, [None] * n, {}, [0.5] * n
    recorder.answered(AnsweredBatch("p", "1", 1, "champion", 1.0, number, 9, *each))
answer(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
answer(2, 400)
answer(3, 500)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
answer(4)
print(lost)
if os.sys.argv[2:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    answer(5, 600)
    os.kill(os.getpid(), 9)
answer(5)
"""


def driven(folder: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", DRIVER, str(folder), *more], check=False, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout


def logged(folder: Path) -> list[str]:
    return [one.request_ids[0] for one in TrafficLog(folder).read(AnsweredBatch, "answers")]


def test_writes_that_fail_make_one_hole_and_what_comes_after_is_logged(tmp_path: Path) -> None:
    began = time.time_ns() // 1000
    assert driven(tmp_path) == (0, "[400, 500]\n")
    assert logged(tmp_path) == ["r1", "r4", "r5"]
    (hole,) = read_holes(tmp_path)
    assert began < hole.began < hole.last < time.time_ns() // 1000
    assert (hole.rows, hole.error[:5]) == (900, "wrote")


def test_a_process_that_is_killed_while_the_disk_is_full_leaves_the_mark(tmp_path: Path) -> None:
    assert driven(tmp_path, "killed")[0] == -9
    assert [one.rows for one in read_holes(tmp_path)] == [900, 600]


def test_holes_are_found_by_when_they_were(tmp_path: Path) -> None:
    marker = HoleMarker(tmp_path)
    marker.lost(3, "full")
    marker.works_again()
    (hole,) = read_holes(tmp_path)
    at = datetime.fromtimestamp(hole.began / 1e6, UTC)
    second = timedelta(seconds=1)
    assert read_holes(tmp_path, at - second, at + second) == (hole,)
    assert read_holes(tmp_path, since=at + second) == read_holes(tmp_path, until=at - second) == ()


def test_more_holes_than_there_is_room_for_become_fewer_that_hold_as_much(tmp_path: Path) -> None:
    marker = HoleMarker(tmp_path)
    for _ in range(100):
        marker.lost(2, "No space left on device")
        marker.works_again()
    found = read_holes(tmp_path)
    assert 10 < len(found) < 100
    assert sum(one.rows for one in found) == 200
    assert all(one.last < other.began for one, other in pairwise(found))


def test_where_no_mark_can_be_made_it_is_made_when_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(traffic_holes.os, "write", lambda _file, data: len(data) // 2)
        marker = HoleMarker(tmp_path)
        marker.lost(7, "full")
        assert read_holes(tmp_path) == ()
        assert list((tmp_path / "holes").iterdir()) == []
    marker.works_again()
    assert [one.rows for one in read_holes(tmp_path)] == [7]


def test_the_marks_of_processes_that_are_gone_stay_only_where_there_was_a_hole(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from adapters.traffic_holes import HoleMarker\n"
        "one, other = (HoleMarker(pathlib.Path(sys.argv[1])) for _ in range(2))\n"
        "other.lost(5, 'full')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=ROOT)
    mine = HoleMarker(tmp_path)
    clear_marks(tmp_path)
    assert len(list((tmp_path / "holes").iterdir())) == 2
    mine.lost(1, "full")
    assert [one.rows for one in read_holes(tmp_path)] == [5, 1]
    assert os.getpid() in {int(path.stem.split("-")[1]) for path in (tmp_path / "holes").iterdir()}
