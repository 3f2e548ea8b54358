"""Callers that wait only so long: told at that moment, over HTTP and gRPC; what no model saw is computed, logged and blamed on nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from adapters.traffic_log import TrafficLog
from contracts.traffic import AnsweredBatch, FailedBatch
from serving.gateway.errors import TooLate
from serving.gateway.limits import Limits
from serving.gateway.line import Line
from tests.serving.gateway.test_line import answerer, ask, serving
from tests.serving.gateway.test_line import version as version  # a fixture
from tests.serving.gateway.world import Gateway, Load, World, tensors

HEADER = "x-envoy-expected-rq-timeout-ms"
SEEN_BY_NOBODY = 'understudy_deadline_missed_requests_total{pipeline="slow"'


def in_log(log: TrafficLog) -> set[str]:
    answered = (one.request_ids for one in log.read(AnsweredBatch, "answers"))
    failed = (one.request_ids for one in log.read(FailedBatch, "failures"))
    return {each for ids in (*answered, *failed) for each in ids}


def test_what_waits_beyond_its_deadline_is_told_then_and_never_computed(version: Any, tmp_path: Path) -> None:
    go, calls, unseen = threading.Event(), [], []

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        calls.append(columns["a"])
        assert go.wait(10)
        return version.predict(columns)

    async def all_of_them() -> None:
        who = serving(version, predict=predict)
        line = Line("p", answerer(who, tmp_path), Limits(), unseen=unseen.append)
        late, patient, begun = ask(who, 2, value=2.0), ask(who, 3, value=3.0), ask(who, 1, value=1.0)
        began = time.perf_counter()
        begun.deadline = late.deadline = began + 0.1
        patient.deadline = began + 60
        first = asyncio.ensure_future(line.ask(begun))
        while not calls:  # it is being computed
            await asyncio.sleep(0.001)
        others = [asyncio.ensure_future(line.ask(one)) for one in (late, patient)]
        for one in (first, others[0]):
            with pytest.raises(TooLate, match="not answered before its deadline"):
                await one
        assert 0.1 <= time.perf_counter() - began < 5  # nobody waited for the model, which has not ended
        go.set()
        assert (await others[1]).request_id == "r3"
        assert line.waiting_rows == 0
        line.close()
        line.join(5)

    asyncio.run(all_of_them())
    assert calls == [[1.0], [3.0]]
    assert in_log(TrafficLog(tmp_path)) == {"r1", "r3"}
    assert unseen == ["dropped"]


def test_who_would_not_get_a_turn_in_time_is_refused_at_once_and_whom_an_empty_line_takes_never_is(version: Any, tmp_path: Path) -> None:
    unseen: list[str] = []

    def predict(columns: dict[str, list[Any]]) -> np.ndarray:
        time.sleep(0.2)
        return version.predict(columns)

    async def all_of_them() -> None:
        who = serving(version, predict=predict)
        line = Line("p", answerer(who, tmp_path), Limits(), unseen=unseen.append)
        await line.ask(ask(who, 1))  # it knows its pace now: a fifth of a second
        short = ask(who, 2)
        short.deadline = short.arrived + 0.05
        with pytest.raises(TooLate, match="not answered before"):  # not "would not be": it had its turn
            await line.ask(short)
        hopeless, hopeful = ask(who, 3), ask(who, 4)
        hopeless.deadline, hopeful.deadline = hopeless.arrived + 0.05, hopeful.arrived + 60
        began = time.perf_counter()
        with pytest.raises(TooLate, match="would not be answered before its deadline"):
            await line.ask(hopeless)
        assert time.perf_counter() - began < 0.15  # the model takes longer
        assert (await line.ask(hopeful)).request_id == "r4"
        past = ask(who, 5)
        past.deadline = past.arrived - 1
        with pytest.raises(TooLate, match="would not be"):
            await line.ask(past)
        line.close()
        line.join(5)

    asyncio.run(all_of_them())
    assert in_log(TrafficLog(tmp_path)) == {"r1", "r2", "r4"}
    assert unseen == ["refused", "refused"]


def _by_header(gateway: Gateway, name: str) -> str:
    body, told = {"id": name, "inputs": tensors()}, {HEADER: "50"}
    return _refusal(gateway.client.post("/v2/models/slow/infer", json=body, headers=told))


def _by_parameter(gateway: Gateway, name: str) -> str:
    return _refusal(gateway.infer("slow", id=name, parameters={"timeout": 50_000}))


def _by_scoring(gateway: Gateway, name: str) -> str:
    body, told = {"dataframe_records": [{"a": 0.5, "b": 3, "kind": "x"}]}, {HEADER: "50", "x-request-id": name}
    return _refusal(gateway.client.post("/invocations?model=slow", json=body, headers=told))


def _refusal(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    return str(answer.json()["error"])


def _by_triton_http(gateway: Gateway, name: str) -> str:
    triton = tritonclient.http.InferenceServerClient(f"127.0.0.1:{gateway.port}")
    with triton as client, pytest.raises(InferenceServerException) as refused:
        client.infer("slow", _inputs(tritonclient.http), request_id=name, timeout=50_000)
    assert refused.value.status() == "503"
    return str(refused.value.message())


def _by_triton_grpc(gateway: Gateway, name: str, **waits: float) -> str:
    triton = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{gateway.grpc_port}")
    with triton as client, pytest.raises(InferenceServerException) as refused:
        client.infer("slow", _inputs(tritonclient.grpc), request_id=name, **(waits or {"timeout": 50_000}))
    assert refused.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    return str(refused.value.message())


def _by_grpc_deadline(gateway: Gateway, name: str) -> str:
    return _by_triton_grpc(gateway, name, client_timeout=0.1)


def _inputs(kind: Any) -> list[Any]:
    given = {"a": ("FP64", np.array([0.5])), "b": ("INT64", np.array([3])), "kind": ("BYTES", np.array(["x"], dtype=object))}
    made = [kind.InferInput(name, [1], datatype) for name, (datatype, _) in given.items()]
    for one, (_, values) in zip(made, given.values(), strict=True):
        one.set_data_from_numpy(values)
    return made


def test_every_client_can_say_how_long_it_waits_and_where_all_are_busy_is_not_computed(gateway: Gateway, shared: World) -> None:
    ways: list[Callable[[Gateway, str], str]]
    ways = [_by_header, _by_parameter, _by_scoring, _by_triton_http, _by_triton_grpc, _by_grpc_deadline]
    gateway.wait_until(lambda: gateway.version("slow") == "1", "serve it")
    before = gateway.metric(SEEN_BY_NOBODY)
    failed = gateway.metric("understudy_failed_requests_total")
    with Load(gateway.port, "slow", connections=3) as load:  # while one is answered the others wait: the line is never empty
        gateway.wait_until(lambda: len(load.answers) >= 3, "learn its pace")
        for way in ways:
            assert "deadline" in way(gateway, way.__name__).lower(), way
    assert {one.status for one in load.answers} == {200}
    assert gateway.metric(SEEN_BY_NOBODY) - before == len(ways)
    assert in_log(shared.log("slow")).isdisjoint(way.__name__ for way in ways)
    assert gateway.metric("understudy_failed_requests_total") == failed  # what a guardrail counts


def test_a_deadline_far_away_or_of_nought_changes_nothing_and_a_wrong_one_is_named(gateway: Gateway) -> None:
    answers = {
        ms: gateway.client.post("/v2/models/linear/infer", json={"inputs": tensors()}, headers={HEADER: ms}) for ms in ("0", "60000")
    }
    assert [one.status_code for one in answers.values()] == [200, 200]
    assert gateway.infer("linear", parameters={"timeout": 60_000_000}).status_code == 200
    for wrong in (-1, 1.5, True, False, "5", [5], {}):
        told = gateway.infer("linear", parameters={"timeout": wrong})
        assert (told.status_code, "parameters.timeout is" in told.json()["error"]) == (400, True)
    for ms in ("-1", "1.5", "soon", "9" * 13):
        told = gateway.client.post("/v2/models/linear/infer", json={"inputs": tensors()}, headers={HEADER: ms})
        assert (told.status_code, HEADER in told.json()["error"]) == (400, True)
