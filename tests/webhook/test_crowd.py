"""A stranger at the same address, or many at once, cost those who hold the secret nothing; what they send too fast is asked for again."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, signed_headers
from tests.webhook.conftest import SECRET, Running, receiver
from tests.webhook.test_audit import client_of, hooks_of
from tests.webhook.test_receiver import alert, event, notification
from webhook.app import Hooks
from webhook.limits import BURST

_BODY = json.dumps(event()).encode()
_FORGED = {SIGNATURE_HEADER: "sha256=" + "0" * 64, TIMESTAMP_HEADER: "1700000000"}


@pytest.fixture
def alone(home: Path) -> Iterator[Running]:
    """Yield a receiver without Prefect: whatever it lets through shows as 503 with the word Prefect."""
    with receiver(home, None) as one:
        yield one


def test_a_stranger_at_the_same_address_takes_nothing_from_who_holds_the_secret(home: Path) -> None:
    tries: list[dict[str, str]] = [{}, {"Authorization": "Bearer wrong-secret-of-some-length"}, _FORGED]

    async def flood(hooks: Hooks) -> None:
        async with client_of(hooks, None) as stranger, client_of(hooks) as sender:
            statuses = [(await stranger.post("/hooks/event", content=_BODY, headers=one)).status_code for one in tries * (BURST // 2)]
            assert statuses == [401] * BURST + [429] * (BURST // 2)
            assert "Prefect" in (await sender.post("/hooks/alertmanager", json=notification(alert()))).json()["error"]
            signed = signed_headers(SECRET, int(time.time()), _BODY)
            assert "Prefect" in (await stranger.post("/hooks/event", content=_BODY, headers=signed)).json()["error"]

    with hooks_of(home, None) as (hooks, _):
        asyncio.run(flood(hooks))


def test_who_holds_the_secret_and_sends_too_fast_is_asked_to_come_back(home: Path) -> None:
    async def flood(hooks: Hooks) -> None:
        async with client_of(hooks) as sender:
            answers = [await sender.post("/hooks/alertmanager", content=b"[]") for _ in range(BURST + 1)]
            assert [one.status_code for one in answers] == [400] * BURST + [503]  # Alertmanager tries again after a 5xx only
            assert (answers[-1].json()["error"], answers[-1].headers["Retry-After"]) == ("Too many calls.", "30")
            assert (await sender.post("/hooks/event", content=b"[]")).status_code == 429

    with hooks_of(home, None) as (hooks, _):
        asyncio.run(flood(hooks))


def test_a_crowd_that_sends_slowly_is_refused_and_kept_and_holds_up_nobody_with_the_token(alone: Running) -> None:
    host, port = alone.url.removeprefix("http://").split(":")
    head = f"POST /hooks/event HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n{SIGNATURE_HEADER}: x\r\n{TIMESTAMP_HEADER}: 1\r\n\r\n"
    with ExitStack() as crowd:
        for _ in range(300):
            crowd.enter_context(socket.create_connection((host, int(port)), 5)).sendall(head.encode())
        ends = time.monotonic() + 5
        while (answer := alone.post_signed("/hooks/event", _BODY)).json()["error"] != "Too many calls at once." and time.monotonic() < ends:
            time.sleep(0.05)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert "Prefect" in alone.post("/hooks/alertmanager", notification(alert())).json()["error"]
        assert any((call["status"], call["detail"]) == (503, "Too many calls at once.") for call in alone.calls())
    ends = time.monotonic() + 5
    while "Prefect" not in (answer := alone.post_signed("/hooks/event", _BODY)).json()["error"] and time.monotonic() < ends:
        time.sleep(0.05)
    assert "Prefect" in answer.json()["error"]  # the crowd has gone
