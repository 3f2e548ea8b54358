"""Killed, cut off from the ledger, stopped: no answered request is missing, the last verified champion answers."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from adapters.model_cache import cached_package
from adapters.process_log import configure_log
from adapters.traffic_closing import close_segments
from contracts.rollout import Route
from contracts.traffic import AnsweredBatch
from serving.gateway import follower
from serving.gateway.limits import Limits
from serving.gateway.metrics import Meters
from serving.gateway.plane import DataPlane
from serving.gateway.route_file import read_routes, write_routes
from tests.serving.gateway.world import Gateway, Load, World

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:9/none"  # nothing listens on the discard port


def test_killed_under_load_no_answered_request_is_missing_and_without_ledger_and_registry_the_last_champion_answers(world: World) -> None:
    first, second = world.make("p", "1"), world.make("p", "2", shift=10.0)
    world.route("p", first)
    one = world.start()
    with Load(one.port, "p", connections=8) as load:
        one.wait_until(lambda: one.version("p") == "1", "serve version 1")
        world.route("p", second, first)
        one.wait_until(lambda: one.version("p") == "2", "serve version 2")
        one.wait_until(lambda: '"version": "2"' in (world.settings.model_cache / "routes.json").read_text(), "keep the route")
        time.sleep(0.5)
        one.process.send_signal(signal.SIGKILL)
        one.process.wait(10)
    answered = {answer.id for answer in load.answers if answer.status == 200}
    logged = {request for batch in world.log("p").read(AnsweredBatch, "answers") for request in batch.request_ids}
    assert len(answered) > 100
    assert answered - logged == set()

    shutil.rmtree(world.home / "registry")
    alone = world.start(UNDERSTUDY_LEDGER_URL=NOWHERE)
    assert alone.client.get("/v2/health/ready").json() == {"ready": True, "route_from": "cache", "ledger": "down", "missing": []}
    answer = alone.infer("p", id="alone").json()
    assert (answer["model_version"], answer["outputs"][0]["data"]) == ("2", [second.answer])
    (batch,) = [batch for batch in world.log("p").read(AnsweredBatch, "answers") if "alone" in batch.request_ids]
    assert (batch.version, batch.epoch) == ("2", 2)
    assert alone.metric("understudy_ledger_up") == 0
    (shown,) = alone.client.get("/status").json()["pipelines"]
    assert (shown["pipeline"], shown["gateway"]["version"]) == ("p", "2")


KILLS = int(os.environ.get("UNDERSTUDY_KILLS", "2"))  # 50 in the long form


def _answered_until_killed(world: World, name: str, seconds: float) -> list[str]:
    one = world.start()
    one.wait_until(lambda: one.version("p") == "1", "serve it")
    with Load(one.port, "p", connections=16, name=name) as load:
        time.sleep(seconds)
        one.process.send_signal(signal.SIGKILL)
        one.process.wait(10)
    return [answer.id for answer in load.answers if answer.status == 200]


@pytest.mark.slow
def test_killed_again_and_again_under_load_no_answered_request_is_missing_live_or_closed(world: World) -> None:
    world.route("p", world.make("p", "1"))
    draw = Random(KILLS)
    answered = [request for kill in range(KILLS) for request in _answered_until_killed(world, f"{kill}/", draw.uniform(0.2, 0.8))]
    assert len(answered) > 50 * KILLS
    for close in (False, True):
        if close:
            assert close_segments(world.settings.traffic / "p" / "answers", print) == KILLS
        logged = Counter(request for batch in world.log("p").read(AnsweredBatch, "answers") for request in batch.request_ids)
        missing = set(answered) - set(logged)
        print(f"{KILLS} kills, {len(answered)} answered requests, {len(missing)} of them not in the log, closed: {close}")
        assert missing == set()
        assert max(logged.values()) == 1


def test_without_a_ledger_a_tampered_cache_is_not_served(world: World) -> None:
    made = world.make("p", "1")
    folder = cached_package(world.settings, made.model)
    write_routes(world.settings.model_cache / "routes.json", {"p": Route(1, made.model, None)})
    shutil.rmtree(world.home / "registry")
    (folder / "model.skops").write_bytes((folder / "model.skops").read_bytes() + b"\0")
    alone = Gateway(world.home, {"UNDERSTUDY_LEDGER_URL": NOWHERE})
    try:
        alone.wait_until(lambda: alone.metric("understudy_model_load_failures_total") > 0, "refuse it")
        assert alone.infer("p").status_code == 503
    finally:
        alone.stop()


def test_it_never_calls_itself_ready_before_it_knows_what_the_cached_route_asks_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = world.make("p", "1")
    write_routes(world.settings.model_cache / "routes.json", {"p": Route(1, made.model, None)})
    log, seen = configure_log("test"), []
    plane = DataPlane(world.settings.traffic, Meters(), Limits(), log)
    settings = replace(world.settings, ledger_url=NOWHERE)
    one = follower.Follower(settings, plane, Meters(), log, swapped=lambda: None)
    monkeypatch.setattr(follower, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(follower, "read_routes", lambda path: seen.append(one.route_from) or read_routes(path))
    one.start()
    deadline = time.monotonic() + 30
    while one.route_from is None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert plane.expected == {"p"}
    one.stop()
    assert seen == [None]


def test_a_ledger_that_goes_and_comes_back_changes_nothing_but_what_is_said(world: World) -> None:
    first, second = world.make("p", "1"), world.make("p", "2", shift=10.0)
    world.route("p", first, second)
    one = world.start()
    one.wait_until(lambda: one.version("p") == "1", "serve version 1")
    one.wait_until(lambda: one.client.get("/status").json()["ledger"]["read_at"] is not None, "read the status")
    ledger = sqlite3.connect(world.settings.ledger_url.removeprefix("sqlite:///"), isolation_level=None)
    ledger.execute("ALTER TABLE rollouts RENAME TO away")
    one.wait_until(lambda: one.metric("understudy_ledger_up") == 0, "notice")
    assert one.version("p") == "1"
    status = one.client.get("/status").json()
    assert status["ledger"]["up"] is False
    assert status["pipelines"][0]["decisions"][0]["reason"] == "epoch 1"  # from memory
    ledger.execute("ALTER TABLE away RENAME TO rollouts")
    ledger.close()
    one.wait_until(lambda: one.metric("understudy_ledger_up") == 1, "find it again")
    world.route("p", second, first)
    one.wait_until(lambda: one.version("p") == "2", "follow again")


def test_stopped_in_good_order_it_answers_what_waits_leaves_with_0_and_takes_itself_off_the_list(world: World) -> None:
    world.route("p", world.make("p", "1"))
    one = world.start()
    one.wait_until(lambda: one.version("p") == "1", "serve it")
    since = datetime.now(UTC) - timedelta(seconds=60)
    one.wait_until(lambda: len(world.ledger.gateways("p", since)) == 1, "report")
    with Load(one.port, "p", connections=4) as load:
        time.sleep(0.3)
        started = time.perf_counter()
        assert one.stop() == 0
        assert time.perf_counter() - started < 5
    assert {answer.status for answer in load.answers} <= {200, 0}  # 0: the connection closed before a request was taken
    logged = {request for batch in world.log("p").read(AnsweredBatch, "answers") for request in batch.request_ids}
    assert {answer.id for answer in load.answers if answer.status == 200} <= logged
    assert world.ledger.gateways("p", since) == ()
