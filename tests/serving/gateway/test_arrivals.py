"""Callers who come together are let in together."""

from __future__ import annotations

import selectors
import socket

import pytest

from serving.gateway.http.arrivals import doors
from tests.serving.gateway.world import Gateway

_CALLERS = 96


def test_nobody_waits_outside_while_those_inside_are_answered_again_and_again(gateway: Gateway) -> None:
    body = b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [0.5]}, {"name": "b", "shape": [1], "datatype": "INT64",'
    body += b'"data": [3]}, {"name": "kind", "shape": [1], "datatype": "BYTES", "data": ["x"]}]}'
    request = b"POST /v2/models/demand/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    answers, greeted = 0, set[int]()
    with selectors.DefaultSelector() as ready:
        callers = [socket.create_connection(("127.0.0.1", gateway.port), 30) for _ in range(_CALLERS)]
        for one in callers:
            ready.register(one, selectors.EVENT_READ, one)
            one.sendall(request)
        while len(greeted) < _CALLERS:
            for key, _ in ready.select(30):
                one = key.data
                assert one.recv(65_536).startswith(b"HTTP/1.1 200")
                answers += 1
                greeted.add(key.fd)
                one.sendall(request)
        for one in callers:
            one.close()
    assert answers < _CALLERS * 10, "one at a time it would be half the square of the callers"


@pytest.mark.parametrize(("workers", "many"), [(1, 16), (2, 1), (4, 1)])
def test_of_several_workers_each_lets_in_one_at_a_time(workers: int, many: int) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        made = doors(listening, workers)
        assert len(made) == many
        assert {one.getsockname() for one in made} == {listening.getsockname()}
        for one in made[1:]:
            one.close()
