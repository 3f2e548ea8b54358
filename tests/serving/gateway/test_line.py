"""The waiting line: who waits is answered together, who finds nobody waiting is answered at once, who waits in vain is told."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.process_log import configure_log
from adapters.traffic_log import TrafficLog
from adapters.traffic_rules import Fsync, TrafficRules
from contracts.rollout import Route
from contracts.traffic import AnsweredBatch, FailedBatch
from serving.gateway.answerer import Answerer
from serving.gateway.asks import Ask, Serving, make_ask
from serving.gateway.errors import AnswerFailed, NotReady, Overloaded
from serving.gateway.limits import Limits
from serving.gateway.line import Line
from serving.gateway.metrics import Meters
from serving.gateway.plane import DataPlane
from serving.gateway.recorder import Recorder
from serving.version import LoadedVersion, load_version
from tests.serving.gateway.world import NOW, World


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> LoadedVersion:
    world = World(tmp_path_factory.mktemp("line"))
    loaded = load_version(world.settings, world.make("p", "1").model)
    world.close()
    return loaded


def serving(version: LoadedVersion, **change: Any) -> Serving:
    changed = replace(version, **change)
    return Serving("p", Route(1, changed.model, None), changed, NOW)


def ask(seen: Serving, number: int = 0, rows: int = 1, value: float = 0.5) -> Ask:
    return make_ask(seen, {"a": [value] * rows, "b": [3] * rows, "kind": ["x"] * rows}, f"r{number}")


def answerer(who: Serving, folder: Path, limits: Limits = Limits()) -> Answerer:  # noqa: B008  # a frozen record
    log, meters = configure_log("test"), Meters()
    return Answerer("p", lambda: who, Recorder(folder, "p", lambda _: None, log), meters, limits, log)


def answered(folder: Path) -> list[str]:
    return [request for batch in TrafficLog(folder).read(AnsweredBatch, "answers") for request in batch.request_ids]


def test_who_waits_is_answered_by_one_call_and_who_does_not_wait_is_answered_at_once(version: LoadedVersion, tmp_path: Path) -> None:
    go, calls = threading.Event(), []

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        calls.append(len(columns["a"]))
        assert go.wait(10)
        return version.predict(columns)

    async def all_of_them() -> None:
        who = serving(version, predict=predict)
        line = Line("p", answerer(who, tmp_path), Limits())
        first = asyncio.ensure_future(line.ask(ask(who)))
        while not calls:  # the first one found nobody waiting: it is being answered before the others come
            await asyncio.sleep(0.001)
        others = [asyncio.ensure_future(line.ask(ask(who, number, rows=2))) for number in range(1, 8)]
        await asyncio.sleep(0)
        assert line.waiting_rows == 15
        go.set()
        answers = await asyncio.gather(first, *others)
        assert [one.request_id for one in answers] == [f"r{number}" for number in range(8)]
        assert [len(one.predictions) for one in answers] == [1, *[2] * 7]
        assert line.waiting_rows == 0
        line.close()
        line.join(5)

    asyncio.run(all_of_them())
    assert calls == [1, 14]
    assert [len(one.rows) for one in TrafficLog(tmp_path).read(AnsweredBatch, "answers")] == [1, 14]


def test_a_micro_batch_is_bounded_by_rows_and_the_line_by_what_may_wait(version: LoadedVersion, tmp_path: Path) -> None:
    go, calls = threading.Event(), []

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        calls.append(len(columns["a"]))
        assert go.wait(10)
        return version.predict(columns)

    async def all_of_them() -> None:
        who, limits = serving(version, predict=predict), Limits(batch_rows=4, waiting_rows=12)
        line = Line("p", answerer(who, tmp_path, limits), limits)
        waiting = [asyncio.ensure_future(line.ask(ask(who, number, rows=3))) for number in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="12 rows wait for 'p'"):
            await line.ask(ask(who))
        go.set()
        await asyncio.gather(*waiting)
        line.close()
        line.join(5)
        with pytest.raises(NotReady, match="stopping"):
            await line.ask(ask(who))

    asyncio.run(all_of_them())
    assert sum(calls) == 12
    assert max(calls) <= 6  # never a further request once four rows are together


def test_a_caller_who_went_away_holds_nobody_up_and_is_logged(version: LoadedVersion, tmp_path: Path) -> None:
    async def all_of_them() -> None:
        who = serving(version)
        line = Line("p", answerer(who, tmp_path), Limits())
        gone = asyncio.ensure_future(line.ask(ask(who, 1)))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await line.ask(ask(who, 2))).request_id == "r2"
        assert line.waiting_rows == 0
        line.close()
        line.join(5)

    asyncio.run(all_of_them())
    assert answered(tmp_path) == ["r1", "r2"]


def test_of_many_requests_the_one_at_fault_fails_alone_after_a_few_calls(version: LoadedVersion, tmp_path: Path) -> None:
    calls = []

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        calls.append(len(columns["a"]))
        if 666.0 in columns["a"]:
            raise RuntimeError("no")
        return version.predict(columns)

    who = serving(version, predict=predict)
    asks = [ask(who, number, value=666.0 if number == 37 else 0.5) for number in range(64)]
    answerer(who, tmp_path)(asks)
    assert [number for number, one in enumerate(asks) if isinstance(one.outcome, AnswerFailed)] == [37]
    assert len(calls) < 16
    assert sorted(answered(tmp_path)) == sorted(f"r{number}" for number in range(64) if number != 37)
    assert [one.request_ids for one in TrafficLog(tmp_path).read(FailedBatch, "failures")] == [["r37"]]


@pytest.mark.parametrize("given", [[1.0, 2.0], [float("nan")], [float("inf")]])
def test_answers_that_are_no_answers_are_failures_not_answers(version: LoadedVersion, tmp_path: Path, given: list[float]) -> None:
    who = serving(version, predict=lambda _: np.array(given))
    one = ask(who)
    answerer(who, tmp_path)([one])
    assert isinstance(one.outcome, AnswerFailed)
    assert TrafficLog(tmp_path).read(AnsweredBatch, "answers") == []


def test_who_waited_too_long_is_told_and_counted_as_failed(version: LoadedVersion, tmp_path: Path) -> None:
    who = serving(version)
    late, fresh = ask(who, 1), ask(who, 2)
    late.arrived = time.perf_counter() - 11
    answerer(who, tmp_path)([late, fresh])
    assert isinstance(late.outcome, NotReady)
    assert not isinstance(fresh.outcome, Exception)
    assert [one.request_ids for one in TrafficLog(tmp_path).read(FailedBatch, "failures")] == [["r1"]]


def test_while_a_call_takes_longer_than_anybody_may_wait_others_are_told_to_come_again(version: LoadedVersion, tmp_path: Path) -> None:
    go = threading.Event()

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        assert go.wait(10)
        return version.predict(columns)

    async def all_of_them() -> None:
        who = serving(version, predict=predict)
        line = Line("p", answerer(who, tmp_path), Limits(wait_seconds=0.2))
        first = asyncio.ensure_future(line.ask(ask(who)))
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(line.ask(ask(who, 1)))  # nothing is known of the pace yet
        await asyncio.sleep(0.3)
        with pytest.raises(Overloaded, match=r"would wait 0\.[3-9] s"):
            await line.ask(ask(who, 2))
        go.set()
        assert [one.request_id for one in await asyncio.gather(first, second)] == ["r0", "r1"]
        assert (await line.ask(ask(who, 3))).request_id == "r3"
        line.close()

    asyncio.run(all_of_them())


def test_a_segment_that_cannot_be_followed_by_another_is_tried_again(
    version: LoadedVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[int] = []
    who = serving(version)
    each = TrafficRules(segment_bytes=1)  # every batch wants a segment of its own
    recorder = Recorder(tmp_path, "p", lost.append, configure_log("test"), each)
    one = Answerer("p", lambda: who, recorder, Meters(), Limits(), configure_log("test"))
    one([ask(who, 1)])
    with monkeypatch.context() as full:
        full.setattr("adapters.traffic_segments.os.open", _no_space)
        late = [ask(who, 2), ask(who, 3)]
        one(late)
        assert all(not isinstance(each.outcome, Exception) for each in late)
    one([ask(who, 4)])
    assert lost == [2]
    assert answered(tmp_path) == ["r1", "r4"]


def _no_space(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_what_is_quick_is_answered_on_the_loop_together_with_what_came_in_the_same_turn(version: LoadedVersion, tmp_path: Path) -> None:
    calls: list[tuple[int, bool]] = []

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        calls.append((len(columns["a"]), threading.current_thread() is threading.main_thread()))
        return version.predict(columns)

    async def all_of_them() -> None:
        who = serving(version, predict=predict, quick=True)
        line = Line("p", answerer(who, tmp_path), Limits(), quick=lambda: who.quick)
        answers = await asyncio.gather(*(line.ask(ask(who, number)) for number in range(5)))
        assert [one.request_id for one in answers] == [f"r{number}" for number in range(5)]
        for number in (10, 11, 12):  # one at a time
            await line.ask(ask(who, number))
            await asyncio.sleep(0)
        await asyncio.gather(*(line.ask(ask(who, number)) for number in (13, 14)))  # two in a turn: after that they are gathered again
        await asyncio.gather(*(line.ask(ask(who, number)) for number in (15, 16)))
        await line.ask(ask(who, 5, rows=500))  # too many for the loop
        last = asyncio.ensure_future(line.ask(ask(who, 6)))
        await asyncio.sleep(0)
        line.close()
        assert (await last).request_id == "r6"
        assert line.waiting_rows == 0
        line.join(5)

    asyncio.run(all_of_them())
    assert calls == [(5, True), *[(1, True)] * 5, (2, True), (500, False), (1, True)]
    assert answered(tmp_path)[-1] == "r6"


@pytest.mark.parametrize(("fsync", "here"), [("none", True), ("batch", False)])
def test_where_every_write_waits_for_the_disk_nothing_is_answered_on_the_event_loop(
    version: LoadedVersion, tmp_path: Path, fsync: Fsync, here: bool
) -> None:
    threads: list[threading.Thread] = []

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        threads.append(threading.current_thread())
        return version.predict(columns)

    async def two() -> None:
        plane = DataPlane(tmp_path, Meters(), Limits(), configure_log("test"), TrafficRules(fsync=fsync))
        plane.put(who := serving(version, quick=True, predict=predict))
        for number in range(2):
            await plane.answer(ask(who, number))
        plane.stop()

    asyncio.run(two())
    assert [one is threading.main_thread() for one in threads] == [here, here]
