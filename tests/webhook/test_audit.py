"""Each call is in the ledger: with a row of its own, or counted in one that says how many were refused."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from adapters.ledger import Ledger
from adapters.prefect_api import PrefectApi
from adapters.settings import read_settings
from tests.webhook.conftest import SECRET, Running, receiver
from tests.webhook.test_receiver import event
from webhook import app as app_module
from webhook.app import Hooks, make_app
from webhook.limits import BURST
from webhook.receiver import Receiver

_COUNTED = re.compile(r"(\d+) refusals not kept since (\S+): (.+)")


def rows(home: Path) -> list[dict[str, Any]]:
    return Running("", home, None).calls()  # type: ignore[arg-type]  # only its ledger is read


@contextmanager
def hooks_of(home: Path, prefect: PrefectApi | None) -> Iterator[tuple[Hooks, Ledger]]:
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    settings = replace(read_settings(home), pipelines=home / "pipelines")
    try:
        yield Hooks(Receiver(settings, ledger, prefect), SECRET, structlog.get_logger(), clock=lambda: 0.0), ledger
    finally:
        ledger.close()


def client_of(hooks: Hooks, secret: str | None = SECRET) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(make_app(hooks), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://here", headers={"Authorization": f"Bearer {secret}"} if secret else {})


def test_a_call_that_waited_for_its_turn_in_vain_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "WAIT_SECONDS", 0.2)

    async def both(hooks: Hooks) -> list[httpx.Response]:
        async with client_of(hooks) as client:
            first = asyncio.create_task(client.post("/hooks/event", json=event()))
            await asyncio.sleep(0.3)
            second = await client.post("/hooks/event", json=event())
            silent.close()  # only now the first one hears that Prefect is away
            return [second, await first]

    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # takes the call and says nothing
        prefect = PrefectApi(f"http://127.0.0.1:{silent.getsockname()[1]}/api", None)
        with hooks_of(home, prefect) as (hooks, _):
            answers = asyncio.run(both(hooks))
        prefect.close()
    assert [one.status_code for one in answers] == [503, 503]
    kept = [(call["kind"], call["pipeline"], call["cause"], call["status"]) for call in rows(home)]
    assert kept == [("event", "demand", "drift", 503)] * 2
    assert rows(home)[0]["detail"] == "Earlier calls about this pipeline have not been answered yet."


def test_a_flood_of_refusals_is_whole_in_numbers_and_fills_no_ledger(home: Path) -> None:
    with receiver(home, None) as running, httpx.Client() as client:
        statuses = [client.post(running.url + "/hooks/event", content=b"{}").status_code for _ in range(BURST + 100)]
    kept = rows(home)
    counted = [call for call in kept if call["kind"] == "refusals"]
    assert 1 <= len(counted) <= 3  # one in ten seconds, and one at the end
    found = [_COUNTED.fullmatch(call["detail"]) for call in counted]
    assert sum(int(one[1]) for one in found if one) + len(kept) - len(counted) == len(statuses)
    assert sum(int(one) for call in counted for one in re.findall(r"(\d+) × 429", call["detail"])) == statuses.count(429)
    assert all((call["pipeline"], call["cause"], call["flow_run"]) == (None, None, None) for call in counted)


def test_refusals_are_counted_while_the_ledger_is_away_and_told_when_it_is_back(home: Path) -> None:
    async def away(hooks: Hooks) -> None:
        app = make_app(hooks)
        async with client_of(hooks, "wrong-secret-of-some-length") as stranger, client_of(hooks) as sender:
            with closing(sqlite3.connect(home / "ledger.db")) as other:
                other.execute("ALTER TABLE calls RENAME TO gone")
                assert (await stranger.post("/hooks/event", json=event())).status_code == 401
                assert (await sender.post("/hooks/event", json=event())).status_code == 503
                async with app.router.lifespan_context(app):  # it ends at once, and has nowhere to write
                    pass
                other.execute("ALTER TABLE gone RENAME TO calls")
            async with app.router.lifespan_context(app):
                pass

    with hooks_of(home, None) as (hooks, _):
        asyncio.run(away(hooks))
    (call,) = rows(home)
    assert call["kind"] == "refusals"
    found = _COUNTED.fullmatch(call["detail"])
    assert found
    assert (found[1], found[3]) == ("2", "1 × 401, 1 × 503")


def test_what_was_counted_is_told_while_the_receiver_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from webhook import audit

    monkeypatch.setattr(audit, "TELL_SECONDS", 0.05)

    async def run(hooks: Hooks) -> int:
        app = make_app(hooks)
        async with app.router.lifespan_context(app), client_of(hooks, "wrong-secret-of-some-length") as stranger:
            for _ in range(BURST + 1):
                await stranger.post("/hooks/event", content=b"{}")
            ends = time.monotonic() + 5
            while time.monotonic() < ends and not any(call["status"] == 429 for call in rows(home)):
                await asyncio.sleep(0.05)
            return len(rows(home))

    with hooks_of(home, None) as (hooks, _):
        before = asyncio.run(run(hooks))
    assert len(rows(home)) == before  # nothing was left to tell at the end
