"""Debian's Prometheus and Alertmanager with the shipped configuration, for the tests of what they see and whom they tell.

Of the shipped files only addresses, secrets and waiting times are changed (`_SHORTER`), so that the way of one alert takes seconds; each
change must find what it replaces.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import free_port

_INFRA = Path(__file__).parents[2] / "infra"
_SECONDS = 30.0
_SHORTER = {
    "prometheus/prometheus.yml": {"scrape_interval: 10s": "scrape_interval: 1s", "evaluation_interval: 10s": "evaluation_interval: 1s"},
    "prometheus/rules/understudy.yml": {"for: 30s  # so long": "for: 2s  # so long"},
    "alertmanager/alertmanager.yml": {"group_interval: 1m": "group_interval: 1s"},
}


@dataclass(frozen=True)
class Watch:
    """Where Prometheus and Alertmanager answer."""

    prometheus: str
    alertmanager: str

    def metric(self, query: str) -> float | None:
        result = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": query}).json()["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def fires(self, pipeline: str) -> bool:
        return self.metric(f'ALERTS{{alertname="UnderstudyRetrain", alertstate="firing", pipeline="{pipeline}"}}') == 1

    def told(self) -> list[dict[str, Any]]:
        wanted = {"receiver": "retrain", "active": "true"}
        found: list[dict[str, Any]] = httpx.get(f"{self.alertmanager}/api/v2/alerts", params=wanted).json()
        return found


@contextmanager
def watched(place: Path, gateway: str, webhook: str, scrape_token: Path, webhook_secret: Path) -> Iterator[Watch]:
    """Run both in a folder.

    Args:
        gateway, webhook: URLs of whom Prometheus asks and whom Alertmanager tells.
    """
    commands = programs()
    ports = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    changes = {
        "prometheus/prometheus.yml": {
            "gateway:8080": gateway.removeprefix("http://"),
            "alertmanager:9093": urls[1].removeprefix("http://"),
            "/run/secrets/scrape": str(scrape_token),
        },
        "prometheus/rules/understudy.yml": {},
        "alertmanager/alertmanager.yml": {"http://webhook:8090": webhook, "/run/secrets/webhook": str(webhook_secret)},
    }
    _write_shorter(place, changes)
    watch = [commands[0], f"--config.file={place}/prometheus/prometheus.yml", f"--storage.tsdb.path={place}/tsdb",
             f"--web.listen-address=127.0.0.1:{ports[0]}"]  # fmt: skip
    tell = [commands[1], f"--config.file={place}/alertmanager/alertmanager.yml", f"--storage.path={place}/told",
            f"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address="]  # fmt: skip
    with (
        _running(tell, f"{urls[1]}/-/ready", place / "alertmanager.log"),
        _running(watch, f"{urls[0]}/-/ready", place / "prometheus.log"),
    ):
        yield Watch(*urls)


def programs() -> list[str]:
    """Return the paths of Prometheus and Alertmanager, or skip: asked before anything else is started."""
    found = [path for path in map(shutil.which, ("prometheus", "prometheus-alertmanager")) if path]
    if len(found) < 2:
        pytest.skip("not installed: Debian packages prometheus and prometheus-alertmanager")
    return found


@contextmanager
def _running(command: list[str], ready: str, log: Path) -> Iterator[None]:
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            until(lambda: process.poll() is not None or httpx.get(ready).is_success, f"{command[0]} answers")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()


def until(true: Callable[[], Any], what: str) -> Any:
    """Wait until something is true of what may not answer yet, and return it."""
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


def _write_shorter(folder: Path, changes: dict[str, dict[str, str]]) -> None:
    """Copy the shipped files with what is to be changed in each."""
    for name, pairs in changes.items():
        text = (_INFRA / name).read_text()
        for before, after in (_SHORTER[name] | pairs).items():
            assert text.count(before) == 1, f"{name}: {before}"
            text = text.replace(before, after)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
