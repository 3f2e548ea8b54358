"""Debian's Prometheus and Alertmanager with the shipped configuration: what the monitor asked for becomes one Prefect run that says why.

Nothing here is a double: gateway, ledger, receiver and Prefect are processes of their own. Of the shipped files only addresses, secrets and
waiting times are changed (`_SHORTER`), so that the way of one alert takes seconds; each change must find what it replaces.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.events import Alert, Finding, Severity
from tests.prefect_server import free_port
from tests.serving.gateway.world import World
from tests.webhook.conftest import SECRET, Running, receiver, write_pipeline

_INFRA = Path(__file__).parents[2] / "infra"
_NAME = "alarmed"
_TOKEN = "a-token-that-nobody-guesses"
_SECONDS = 30.0
_SHORTER = {
    "prometheus/prometheus.yml": {"scrape_interval: 10s": "scrape_interval: 1s", "evaluation_interval: 10s": "evaluation_interval: 1s"},
    "prometheus/rules/understudy.yml": {"for: 30s  # so long": "for: 2s  # so long"},
    "alertmanager/alertmanager.yml": {"group_interval: 1m": "group_interval: 1s"},
}
_FINDING = Finding("data_drift", "temperature", Severity.RETRAIN, 0.5, 0.1, 0.001, 500, "temperature has moved")
_ALERT = Alert("alarmed-v1-retrain-1", _NAME, Severity.RETRAIN, "temperature has moved", datetime.now(UTC), (_FINDING,))


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian packages prometheus and prometheus-alertmanager)")
    return found


@contextmanager
def running(command: list[str], ready: str, log: Path) -> Iterator[None]:
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            until(lambda: process.poll() is not None or httpx.get(ready).is_success, f"{command[0]} answers")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()


def until(true: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            found = true()
        except httpx.TransportError:
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"within {_SECONDS:g} s not: {what}")


def write_shorter(folder: Path, changes: dict[str, dict[str, str]]) -> None:
    """Copy the shipped files with what is to be changed in each."""
    for name, pairs in changes.items():
        text = (_INFRA / name).read_text()
        for before, after in (_SHORTER[name] | pairs).items():
            assert text.count(before) == 1, f"{name}: {before}"
            text = text.replace(before, after)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@dataclass(frozen=True)
class Place:
    """Everything that takes part in the way of an alert."""

    world: World
    receiver: Running
    prefect: str
    prometheus: str
    alertmanager: str

    def metric(self, query: str) -> float | None:
        result = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": query}).json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def fires(self) -> bool:
        return self.metric(f'ALERTS{{alertname="UnderstudyRetrain", alertstate="firing", pipeline="{_NAME}"}}') == 1

    def notified(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.alertmanager}/api/v2/alerts", params={"receiver": "retrain"}).json()
        return found

    def calls(self, status: int) -> list[dict[str, Any]]:
        return [call for call in self.receiver.calls() if call["status"] == status]

    def runs(self) -> list[dict[str, Any]]:
        wanted = {"deployments": {"name": {"any_": [_NAME]}}}
        found: list[dict[str, Any]] = httpx.post(f"{self.prefect}/flow_runs/filter", json=wanted).raise_for_status().json()
        return found


@pytest.fixture
def place(tmp_path: Path, prefect_server: str) -> Iterator[Place]:
    """Start a gateway with a champion, a receiver, Prometheus and Alertmanager around one ledger."""
    commands = program("prometheus"), program("prometheus-alertmanager")
    files = {"webhook.secret": SECRET, "scrape.token": _TOKEN, "gateway.tokens": f"prometheus read {_TOKEN}"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    write_pipeline(tmp_path / "pipelines", _NAME)
    flow = httpx.post(f"{prefect_server}/flows/", json={"name": "retrain"}).json()["id"]
    httpx.post(f"{prefect_server}/work_pools/", json={"name": "alerts", "type": "process"}).raise_for_status()
    deployment = {"name": _NAME, "flow_id": flow, "parameters": {"pipeline": _NAME}, "work_pool_name": "alerts"}
    httpx.post(f"{prefect_server}/deployments/", json=deployment).raise_for_status()
    ports = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    world = World(tmp_path)
    world.route(_NAME, world.make(_NAME, "1"))
    try:
        gateway = world.start(UNDERSTUDY_TOKENS_FILE=str(tmp_path / "gateway.tokens"))
        with receiver(tmp_path, prefect_server) as hooks:
            changes = {
                "prometheus/prometheus.yml": {
                    "gateway:8080": gateway.url.removeprefix("http://"),
                    "alertmanager:9093": urls[1].removeprefix("http://"),
                    "/run/secrets/scrape": str(tmp_path / "scrape.token"),
                },
                "prometheus/rules/understudy.yml": {},
                "alertmanager/alertmanager.yml": {
                    "http://webhook:8090": hooks.url, "/run/secrets/webhook": str(tmp_path / "webhook.secret")
                },
            }  # fmt: skip
            write_shorter(tmp_path, changes)
            watch = [commands[0], f"--config.file={tmp_path}/prometheus/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
                     f"--web.listen-address=127.0.0.1:{ports[0]}"]  # fmt: skip
            tell = [commands[1], f"--config.file={tmp_path}/alertmanager/alertmanager.yml", f"--storage.path={tmp_path}/told",
                    f"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address="]  # fmt: skip
            with (
                running(tell, f"{urls[1]}/-/ready", tmp_path / "alertmanager.log"),
                running(watch, f"{urls[0]}/-/ready", tmp_path / "prometheus.log"),
            ):
                yield Place(world, hooks, prefect_server, *urls)
    finally:
        world.close()


def test_what_the_monitor_asked_for_becomes_one_run_that_says_why_by_prometheus_and_alertmanager(place: Place) -> None:
    until(lambda: place.metric(f'understudy_alerts_unanswered{{pipeline="{_NAME}"}}') == 0, "Prometheus knows that nothing is asked")
    place.world.ledger.add_findings(_NAME, (_FINDING,), "run-1", datetime.now(UTC))
    place.world.ledger.open_alert(_ALERT)
    began, hops = time.time(), {}
    for hop, true in {
        "ledger → gateway → Prometheus": lambda: place.metric(f'understudy_alerts_unanswered{{pipeline="{_NAME}"}}'),
        "Prometheus: the rule fires (2 s of it `for`)": place.fires,
        "Alertmanager has it": place.notified,
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
    until(lambda: place.metric(f'understudy_alerts_unanswered{{pipeline="{_NAME}"}}') == 0, "the alert counts as answered")
    until(lambda: not place.fires(), "the rule fires no more")
    assert place.metric(f'understudy_alerts{{pipeline="{_NAME}", severity="retrain"}}') == 1

    place.world.ledger.open_alert(replace(kept, flow_run=None))  # as if asked again at once: it fires a second time
    until(lambda: any("cooling down" in call["detail"] for call in place.calls(200)), "the receiver has said that it is too early")
    assert [one["id"] for one in place.runs()] == [run["id"]]
    assert {call["flow_run"] for call in place.calls(202)} == {run["id"]}
