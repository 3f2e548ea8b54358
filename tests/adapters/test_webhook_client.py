"""An alert goes out signed, is tried again while the receiver is busy, and each answer is understood; the receiver is the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.webhook_client import Delivery, send_alert
from adapters.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from contracts.errors import OutsideError, Refused
from contracts.events import Alert, Severity
from tests.http_recorder import Recorder, answering
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
SECRET = "a-secret-that-nobody-guesses"
ALERT = Alert("ads-v1-retrain-1", "ads", Severity.RETRAIN, "the loss rose by 40 %", datetime(2026, 2, 1, 12, tzinfo=UTC))


def test_the_event_is_signed_and_says_what_is_wanted() -> None:
    with answering((202, {"flow_run": "run-1", "url": "http://x", "reason": "taken"})) as server:
        assert send_alert(server.url, SECRET, ALERT) == Delivery("run-1", "taken")
        ((path, headers, body),) = server.calls
    assert path == "/hooks/event"
    verify(SECRET, headers[TIMESTAMP_HEADER], headers[SIGNATURE_HEADER], body, time.time())
    assert json.loads(body) == {
        "specversion": "1.0",
        "type": "understudy.retrain",
        "source": "understudy/monitor",
        "id": "ads-v1-retrain-1",
        "time": "2026-02-01T12:00:00+00:00",
        "datacontenttype": "application/json",
        "data": {"pipeline": "ads", "cause": "drift", "reason": "the loss rose by 40 %", "severity": "retrain"},
    }


def test_a_busy_receiver_is_asked_three_times_and_then_left_for_the_next_run() -> None:
    waited: list[float] = []
    with answering((503, {"error": "Prefect is away."}), (503, {}), (202, {"flow_run": "run-1"})) as server:
        assert send_alert(server.url, SECRET, ALERT, waited.append).flow_run == "run-1"
    with answering((503, {"error": "Prefect is away."})) as server, pytest.raises(OutsideError, match=r"503: Prefect is away\.") as caught:
        send_alert(server.url, SECRET, ALERT, waited.append)
    assert len(server.calls) == 3
    assert caught.value.retryable
    assert waited == [0.5, 1.5, 0.5, 1.5]


def test_nobody_there_is_said_and_can_be_tried_again() -> None:
    with pytest.raises(OutsideError, match="did not take alert ads-v1-retrain-1"):
        send_alert(f"http://127.0.0.1:{free_port()}", SECRET, ALERT, lambda _: None)


@pytest.mark.parametrize("content", [{"error": "The signature does not fit the body."}, b"<html>no JSON</html>"])
def test_a_refusal_is_not_tried_again(content: Any) -> None:
    with answering((401, content)) as server, pytest.raises(Refused, match="answered 401"):
        send_alert(server.url, SECRET, ALERT)
    assert len(server.calls) == 1


def test_quiet_by_cooldown_is_no_run() -> None:
    with answering((200, {"reason": "cooling down"})) as server:
        assert send_alert(server.url, None, ALERT) == Delivery(None, "cooling down")
        assert SIGNATURE_HEADER not in server.calls[0][1]


@contextmanager
def real_receiver(home: Path, prefect: Recorder) -> Iterator[str]:
    spec = {
        "name": "ads",
        "task": "regression",
        "source": {"kind": "file", "path": "rows.csv"},
        "columns": {"time": "at", "target": "y", "features": {"numeric": ["a"]}},
        "train": {"holdout": "7d", "estimator": "sklearn.linear_model.Ridge"},
        "gates": [{"metric": "mae", "max": 10}],
        "rollout": {"stages": [{"kind": "shadow", "loss": "absolute_error"}]},
    }
    (home / "pipelines" / "ads").mkdir(parents=True)
    (home / "pipelines" / "ads" / "pipeline.yaml").write_text(json.dumps(spec))
    (home / "pipelines" / "ads" / "params.yaml").write_text("seed: 0\n")
    (home / "webhook.secret").write_text(SECRET)
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "UNDERSTUDY_"))}
    env |= {"UNDERSTUDY_HOME": str(home), "UNDERSTUDY_PIPELINES": str(home / "pipelines"), "PREFECT_API_URL": f"{prefect.url}/api"}
    with (home / "webhook.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "webhook", "--port", str(port)], env=env | {"PYTHONPATH": str(ROOT)}, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url, home / "webhook.log")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_the_real_receiver_takes_what_is_sent_and_gives_the_run_that_prefect_made(tmp_path: Path) -> None:
    with answering((200, {"id": "5b0a"})) as prefect, real_receiver(tmp_path, prefect) as url:
        assert send_alert(url, SECRET, ALERT).flow_run == "5b0a"
        with pytest.raises(Refused, match="does not fit the body"):
            send_alert(url, SECRET + "!", ALERT)
    path, _, body = prefect.calls[-1]
    wanted = json.loads(body)
    assert path.endswith("/create_flow_run")
    assert wanted["idempotency_key"] == "ads:ads-v1-retrain-1"
    assert wanted["parameters"]["alert_id"] == "ads-v1-retrain-1"
    assert (wanted["parameters"]["cause"], wanted["parameters"]["actor"]) == ("drift", "understudy/monitor")
