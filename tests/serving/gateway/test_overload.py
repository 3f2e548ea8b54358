"""More than it can do, and callers too slow to be served: those taken are answered in time, the others are told, memory stays flat.

UNDERSTUDY_OVERLOAD_SECONDS sets how long the overload lasts (a few seconds unless told otherwise).
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from serving.gateway.http.patience import Patience
from serving.gateway.limits import Limits
from tests.serving.gateway.open_load import offer
from tests.serving.gateway.world import Gateway, World, tensors

ROW_SECONDS, WAIT_SECONDS, SEND_SECONDS = 0.01, 0.25, 3.0
SECONDS = float(os.environ.get("UNDERSTUDY_OVERLOAD_SECONDS", "3"))
SLOW = f"import time\n\ndef build(frame):\n    time.sleep({ROW_SECONDS} * len(frame))\n    return frame\n"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    world = World(tmp_path_factory.mktemp("overload"))
    world.route("p", world.make("p", "1", code=SLOW))
    one = world.start(UNDERSTUDY_MAX_WAIT_SECONDS=str(WAIT_SECONDS), UNDERSTUDY_MAX_SEND_SECONDS=str(SEND_SECONDS))
    one.wait_until(lambda: one.version("p") == "1", "serve it")
    yield one
    world.close()


def memory(gateway: Gateway) -> float:
    lines = Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def test_at_four_times_what_it_can_do_those_taken_are_answered_in_time_and_the_others_told_to_come_again(slow: Gateway) -> None:
    capacity, body = 1 / ROW_SECONDS, {"inputs": tensors()}
    warm = offer(slow.port, "/v2/models/p/infer", body, capacity * 4, 1.0)  # learns its pace
    assert {status for status, *_ in warm.answers} <= {200, 429}
    before = memory(slow)
    seen = offer(slow.port, "/v2/models/p/infer", body, capacity * 4, SECONDS)
    assert {status for status, *_ in seen.answers} == {200, 429}
    assert all(told for status, _, told in seen.answers if status == 429)
    assert seen.p99(200) < 3 * WAIT_SECONDS + 0.25  # its turn, and the micro-batch before it
    assert seen.p99(429) < 0.5
    assert len(seen.seconds(200)) > 0.6 * capacity * SECONDS
    assert memory(slow) - before < 30
    print(f"accepted {len(seen.seconds(200))} p99 {seen.p99(200):.3f} s, refused {len(seen.seconds(429))} p99 {seen.p99(429):.3f} s")
    print(f"memory {before:.0f} MB, then {memory(slow):.0f} MB")


def _cut_off(gateway: Gateway, sent: list[bytes]) -> float:
    """Send parts a fifth of a second apart, and return after how many seconds the connection ended."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.settimeout(30)
        try:
            for part in sent:
                client.sendall(part)
                time.sleep(0.2)
            while client.recv(65536):
                pass
        except ConnectionError:
            pass
    return time.perf_counter() - began


def test_who_sends_a_head_or_a_body_byte_by_byte_is_cut_off_while_others_are_answered(slow: Gateway) -> None:
    head = b"POST /v2/models/p/infer HTTP/1.1\r\nhost: x\r\n"
    assert _cut_off(slow, [head, *[b"x-a: b\r\n"] * 100]) < SEND_SECONDS / 3 + 3
    assert slow.version("p") == "1"
    assert _cut_off(slow, [head + b"content-length: 1000\r\n\r\n", *[b" "] * 100]) < SEND_SECONDS + 3
    assert slow.said().count("A slow caller was cut off") == 2


def test_who_never_reads_answers_is_cut_off(slow: Gateway) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", slow.port))
        client.sendall(b"GET /docs HTTP/1.1\r\nhost: x\r\n\r\n" * 5000)
        slow.wait_until(lambda: '"waited_for": "the reading of its answer"' in slow.said(), "cut it off")


def test_a_state_is_timed_from_the_first_look_that_saw_it_and_a_new_request_begins_anew() -> None:
    now = [0.0]
    patience = Patience(Limits(head_seconds=10, body_seconds=30, read_seconds=30), clock=lambda: now[0])
    flow, scope = SimpleNamespace(write_paused=False), {"type": "http"}
    cycle = SimpleNamespace(scope=scope, more_body=True, response_complete=False)

    class Connection:
        pass

    body, idle, fresh = Connection(), Connection(), Connection()
    transport = SimpleNamespace(is_closing=lambda: False)
    body.__dict__.update(transport=transport, flow=flow, scope=scope, cycle=cycle)
    done = SimpleNamespace(scope=scope, more_body=False, response_complete=True)
    idle.__dict__.update(transport=transport, flow=flow, scope=scope, cycle=done)
    fresh.__dict__.update(transport=transport, flow=flow, scope=None, cycle=None)
    gone = Connection()  # idle for long and closed by the server, what it was sent still unread
    gone.__dict__.update(transport=SimpleNamespace(is_closing=lambda: True), flow=flow, scope=scope, cycle=done)
    everybody = [body, idle, fresh, gone]
    assert patience.too_slow(everybody) == []
    now[0] = 11.0
    assert patience.too_slow(everybody) == [(fresh, "its head")]
    now[0] = 31.0
    assert patience.too_slow([body, idle, gone]) == [(body, "its body"), (gone, "the reading of its answer")]
    body.cycle = SimpleNamespace(scope=scope, more_body=True, response_complete=False)  # type: ignore[attr-defined]  # the next request
    assert patience.too_slow([body, idle]) == []


def test_rows_and_depth_beyond_the_limits_are_refused_and_said(slow: Gateway) -> None:
    deep = slow.client.post("/v2/models/p/infer", content=b"[" * 100_000)
    assert (deep.status_code, "nested" in deep.json()["error"] or "cannot be read" in deep.json()["error"]) == (400, True)
    many = slow.client.post(
        "/v2/models/p/infer", content=json.dumps({"inputs": tensors({"a": [0.5] * 20_001, "b": [1] * 20_001, "kind": ["x"] * 20_001})})
    )
    assert (many.status_code, "20001 rows" in many.json()["error"]) == (413, True)
