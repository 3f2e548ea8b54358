"""Several workers on one port: answers, logs, swaps and metrics are those of one gateway, and a killed worker costs nobody an answer."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from contracts.traffic import AnsweredBatch
from serving.gateway.metrics import Meters
from serving.gateway.shared_metrics import Pages, labelled
from serving.gateway.workers import Place
from tests.serving.gateway.world import SECONDS, Gateway, Load, World, tensors

WORKERS = 2


def children(gateway: Gateway) -> list[int]:
    return [int(one) for one in Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()]


def test_two_workers_answer_log_swap_and_count_as_one_gateway_and_one_that_is_killed_comes_back(world: World) -> None:
    first, second = world.make("p", "1"), world.make("p", "2", shift=10.0)
    versions = {world.route("p", first, second): "1"}
    one = world.start(UNDERSTUDY_GATEWAY_WORKERS=str(WORKERS))

    def serving(epoch: int) -> bool:
        since = datetime.now(UTC) - timedelta(seconds=5)
        return [view.epoch for view in world.ledger.gateways("p", since)] == [epoch] * WORKERS

    one.wait_until(lambda: serving(1), "serve version 1 in both workers")
    with Load(one.port, "p", connections=8) as load:
        for epoch in range(2, 6):
            champion, other = (first, second) if epoch % 2 else (second, first)
            versions[world.route("p", champion, other)] = champion.model.version
            one.wait_until(lambda epoch=epoch: serving(epoch), "swap both workers")  # type: ignore[misc]  # a default binds it
    truth = {made.model.version: made.answer for made in (first, second)}
    assert {answer.status for answer in load.answers} == {200}
    assert [answer for answer in load.answers if answer.prediction != truth[answer.version]] == []
    batches = world.log("p").read(AnsweredBatch, "answers")
    assert all(versions[batch.epoch] == batch.version for batch in batches)
    logged = {request: batch.version for batch in batches for request in batch.request_ids}
    assert all(logged[answer.id] == answer.version for answer in load.answers)
    segments = {path.stem.rpartition("-")[2] for path in (world.settings.traffic / "p" / "answers").glob("*.seg")}
    assert segments == set(map(str, children(one)))
    counted = 'understudy_rows_total{worker="'
    one.wait_until(lambda: one.metric(counted) >= len(load.answers), "count all rows")
    assert one.metric(counted) == len({request for batch in batches for request in batch.request_ids})

    os.kill(children(one)[0], signal.SIGKILL)
    body = {"inputs": tensors()}
    answers, killed = [], datetime.now(UTC)

    def is_back() -> bool:
        answers.append(httpx.post(f"{one.url}/v2/models/p/infer", json=body, trust_env=False, timeout=SECONDS).status_code)
        return [view.epoch for view in world.ledger.gateways("p", killed)] == [5] * WORKERS

    one.client.close()  # its connection may have been one of those that broke off
    one.client = httpx.Client(base_url=one.url, trust_env=False, timeout=SECONDS)
    one.wait_until(is_back, "start it again")
    assert len(children(one)) == WORKERS
    assert len(answers) > 20
    assert set(answers) == {200}, "while it loads nobody is sent to it"
    assert "A worker ended and is started again" in one.said()

    workers = children(one)
    one.process.kill()
    one.process.wait(10)
    one.process = subprocess.Popen(["sleep", "60"])  # the world stops it in the end
    for pid in workers:
        _await_end(pid)


def _await_end(pid: int) -> None:
    try:
        gone = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([gone], [], [], 15)[0], "a worker outlived its supervisor"
    os.close(gone)


def test_a_worker_that_cannot_be_configured_stops_the_gateway_with_the_reason(world: World) -> None:
    tokens = world.home / "tokens"
    tokens.write_text("nobody\n")
    one = Gateway(world.home, {"UNDERSTUDY_GATEWAY_WORKERS": "2", "UNDERSTUDY_TOKENS_FILE": str(tokens)})
    assert one.process.wait(60) == 2
    assert "tokens, line 1" in one.said()


def _lasting(page: bytes) -> list[bytes]:
    """Return a page without what the process uses, which is more at each look."""
    return [line for line in page.splitlines() if not line.startswith(b"process_")]


@pytest.mark.parametrize("asked", [0, 1])
def test_whoever_is_asked_shows_all_workers_and_each_family_once(tmp_path: Path, asked: int) -> None:
    meters = [Meters(), Meters()]
    pages = [Pages(tmp_path, Place(number, 2), one) for number, one in enumerate(meters)]
    meters[0].rows.labels("p", "1").inc(3)
    meters[1].rows.labels("p", "1").inc(4)
    pages[1 - asked].write()
    lines = pages[asked].page().decode().splitlines()
    assert 'understudy_rows_total{worker="0",pipeline="p",version="1"} 3.0' in lines
    assert 'understudy_rows_total{worker="1",pipeline="p",version="1"} 4.0' in lines
    assert sum(line.startswith("# TYPE understudy_rows_total ") for line in lines) == 1
    assert _lasting(Pages(tmp_path, Place(), meters[0]).page()) == _lasting(meters[0].page())
    assert labelled("up 1.0", 0) == 'up{worker="0"} 1.0'
