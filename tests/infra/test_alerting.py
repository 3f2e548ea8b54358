"""Debian's Prometheus and Alertmanager with the shipped configuration: what the monitor asked for becomes one Prefect run that says why.

Nothing here is a double: gateway, ledger, receiver and Prefect are processes of their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.events import Alert, Finding, Severity
from tests.infra.watched import Watch, programs, until, watched
from tests.serving.gateway.world import World
from tests.webhook.conftest import SECRET, Running, receiver, write_pipeline

_NAME = "alarmed"
_TOKEN = "a-token-that-nobody-guesses"
_FINDING = Finding("data_drift", "temperature", Severity.RETRAIN, 0.5, 0.1, 0.001, 500, "temperature has moved")
_ALERT = Alert("alarmed-v1-retrain-1", _NAME, Severity.RETRAIN, "temperature has moved", datetime.now(UTC), (_FINDING,))


@dataclass(frozen=True)
class Place:
    """Everything that takes part in the way of an alert."""

    world: World
    receiver: Running
    prefect: str
    watch: Watch

    def calls(self, status: int) -> list[dict[str, Any]]:
        return [call for call in self.receiver.calls() if call["status"] == status]

    def runs(self) -> list[dict[str, Any]]:
        wanted = {"deployments": {"name": {"any_": [_NAME]}}}
        found: list[dict[str, Any]] = httpx.post(f"{self.prefect}/flow_runs/filter", json=wanted).raise_for_status().json()
        return found


@pytest.fixture
def place(tmp_path: Path, prefect_server: str) -> Iterator[Place]:
    """Start a gateway with a champion, a receiver, Prometheus and Alertmanager around one ledger."""
    programs()
    files = {"webhook.secret": SECRET, "scrape.token": _TOKEN, "gateway.tokens": f"prometheus read {_TOKEN}"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    write_pipeline(tmp_path / "pipelines", _NAME)
    flow = httpx.post(f"{prefect_server}/flows/", json={"name": "retrain"}).json()["id"]
    httpx.post(f"{prefect_server}/work_pools/", json={"name": "alerts", "type": "process"}).raise_for_status()
    deployment = {"name": _NAME, "flow_id": flow, "parameters": {"pipeline": _NAME}, "work_pool_name": "alerts"}
    httpx.post(f"{prefect_server}/deployments/", json=deployment).raise_for_status()
    world = World(tmp_path)
    world.route(_NAME, world.make(_NAME, "1"))
    try:
        gateway = world.start(UNDERSTUDY_TOKENS_FILE=str(tmp_path / "gateway.tokens"))
        with receiver(tmp_path, prefect_server) as hooks:
            secrets = tmp_path / "scrape.token", tmp_path / "webhook.secret"
            with watched(tmp_path, gateway.url, hooks.url, *secrets) as watch:
                yield Place(world, hooks, prefect_server, watch)
    finally:
        world.close()


def test_what_the_monitor_asked_for_becomes_one_run_that_says_why_by_prometheus_and_alertmanager(place: Place) -> None:
    until(lambda: place.watch.metric(f'understudy_alerts_unanswered{{pipeline="{_NAME}"}}') == 0, "Prometheus knows that nothing is asked")
    place.world.ledger.add_findings(_NAME, (_FINDING,), "run-1", datetime.now(UTC))
    place.world.ledger.open_alert(_ALERT)
    began, hops = time.time(), {}
    for hop, true in {
        "ledger → gateway → Prometheus": lambda: place.watch.metric(f'understudy_alerts_unanswered{{pipeline="{_NAME}"}}'),
        "Prometheus: the rule fires (2 s of it `for`)": lambda: place.watch.fires(_NAME),
        "Alertmanager has it": place.watch.told,
        "the receiver has answered": lambda: place.calls(202),
        "the run is there": place.runs,
    }.items():
        until(true, hop)
        hops[hop] = time.time() - began
    before = 0.0
    for hop, at in hops.items():
        print(f"{at:6.2f} s  +{at - before:5.2f}  {hop}")
        before = at

    (run,) = place.runs()
    reason = f"the monitor of {_NAME} asks for a retrain; data_drift of temperature is 5 times its limit"
    told = {name: run["parameters"][name] for name in ("pipeline", "cause", "actor", "reason")}
    assert told == {"pipeline": _NAME, "cause": "drift", "actor": "alertmanager", "reason": f"UnderstudyRetrain: {reason}"}
    (kept,) = place.world.ledger.alerts(_NAME)
    assert kept.flow_run == run["id"]  # the alert stays open, and nobody asks for it again
    until(lambda: place.watch.metric(f'understudy_alerts_unanswered{{pipeline="{_NAME}"}}') == 0, "the alert counts as answered")
    until(lambda: not place.watch.fires(_NAME), "the rule fires no more")
    assert place.watch.metric(f'understudy_alerts{{pipeline="{_NAME}", severity="retrain"}}') == 1

    place.world.ledger.open_alert(replace(kept, flow_run=None))  # as if asked again at once: it fires a second time
    until(lambda: any("cooling down" in call["detail"] for call in place.calls(200)), "the receiver has said that it is too early")
    assert [one["id"] for one in place.runs()] == [run["id"]]
    assert {call["flow_run"] for call in place.calls(202)} == {run["id"]}
