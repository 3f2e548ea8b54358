"""A caller who sends requests without end on one connection costs the others nothing, and cannot keep the gateway from stopping."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.serving.gateway.test_overload import memory
from tests.serving.gateway.world import Gateway, World, tensors

SEND_SECONDS, FLOOD_SECONDS = 2.0, 3.0
IDLE, EACH = 40, 50  # callers who read nothing and send no more, and their requests


PAGE = b"GET /docs HTTP/1.1\r\nhost: x\r\n\r\n"  # its answers soon fill what the system buffers


def request(number: int = 0, extra: int = 0) -> bytes:
    body = json.dumps({"id": f"r{number}", "inputs": tensors()}).encode() + b" " * extra
    return b"POST /v2/models/p/infer HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body


class Flood:
    """Sends one request after the other and reads no answer, until it is cut off or left."""

    def __init__(self, gateway: Gateway, what: bytes, buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", gateway.port))
        self.began, self.ended = time.monotonic(), 0.0
        self.thread = threading.Thread(target=self._send, args=(what * 500,))
        self.thread.start()

    def _send(self, many: bytes) -> None:
        try:
            while True:
                self.socket.sendall(many)
        except OSError:
            self.ended = time.monotonic()
            self.socket.close()


@pytest.fixture(scope="module")
def idle() -> Iterator[list[socket.socket]]:
    """Return callers that are still there when the gateway stops, in the last test."""
    callers = [socket.socket() for _ in range(IDLE)]
    for one in callers:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    yield callers
    for one in callers:
        one.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    world = World(tmp_path_factory.mktemp("flood"))
    world.route("p", world.make("p", "1", estimator="sklearn.linear_model.Ridge"))
    try:
        one = world.start(UNDERSTUDY_MAX_SEND_SECONDS=str(SEND_SECONDS))
        one.wait_until(lambda: one.version("p") == "1", "serve it")
        yield one
    finally:
        world.close()


def test_requests_sent_ahead_are_all_answered_in_their_order_whatever_their_size(served: Gateway) -> None:
    many = 300
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(b"".join(request(number, extra=50_000 * (number % 100 == 7)) for number in range(many)))
        got = b""
        while len(found := re.findall(rb'"id":"r(\d+)"', got)) < many:
            part = client.recv(1 << 20)
            assert part, f"the connection ended after {len(found)} answers"
            got += part
    assert [int(one) for one in found] == list(range(many))
    assert got.count(b"HTTP/1.1 200 OK") == many


def test_callers_who_never_read_small_answers_hold_next_to_nothing(served: Gateway, idle: list[socket.socket]) -> None:
    """Their answers lie in the buffers of the system; the last test stops the gateway while they are still there."""
    before, answered = memory(served), served.metric("understudy_rows_total")
    for one in idle:
        one.connect(("127.0.0.1", served.port))
        one.sendall(request() * EACH)
    served.wait_until(lambda: served.metric("understudy_rows_total") - answered >= EACH * len(idle), "answer all of them")
    assert memory(served) - before < 10
    assert served.version("p") == "1"


def test_who_sends_without_end_and_never_reads_costs_no_memory_no_patience_of_others_and_no_stop(served: Gateway) -> None:
    before, waits = memory(served), []
    flood = Flood(served, request())
    while time.monotonic() < flood.began + FLOOD_SECONDS:
        asked = time.monotonic()
        assert served.version("p") == "1"
        waits.append(time.monotonic() - asked)
        time.sleep(0.02)
    assert memory(served) - before < 20
    assert sorted(waits)[len(waits) // 2] < 0.1
    small = Flood(served, PAGE, buffer=4096)
    small.thread.join(SEND_SECONDS + 10)
    assert 0 < small.ended - small.began < SEND_SECONDS + 5
    assert '"waited_for": "the reading of its answer"' in served.said()
    last, began = Flood(served, PAGE, buffer=4096), time.monotonic()
    time.sleep(0.5)
    assert served.stop() == 0
    assert time.monotonic() - began < 6
    for one in (flood, last):
        one.thread.join(10)
        assert one.ended
