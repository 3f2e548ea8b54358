"""One alert gives one run, with its cause; what cannot be done now is asked for again; every call is in the ledger."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.ledger import Ledger
from adapters.webhook_client import send_alert
from contracts.errors import Refused
from contracts.events import Alert, Severity
from tests.servers import free_port
from tests.webhook.conftest import ROOT, SECRET, Running, receiver


def alert(pipeline: str = "demand", status: str = "firing", fingerprint: str | None = None, **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "ErrorRose", "pipeline": pipeline} | labels,
        "annotations": {"summary": "the loss rose by 40 %"},
        "startsAt": "2026-03-01T10:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": fingerprint or uuid.uuid4().hex[:16],
    }


def notification(*alerts: dict[str, Any]) -> dict[str, Any]:
    """As Alertmanager 0.28 sends it."""
    return {
        "receiver": "understudy", "status": "firing", "alerts": list(alerts), "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://alertmanager:9093", "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0,
    }  # fmt: skip


def event(pipeline: str = "demand", **data: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "type": "understudy.retrain", "source": "understudy/monitor", "id": uuid.uuid4().hex,
        "time": "2026-03-01T10:00:00Z", "datacontenttype": "application/json",
        "data": {"pipeline": pipeline, "cause": "drift", "reason": "the loss rose", "severity": "retrain"} | data,
    }  # fmt: skip


def run_of(api: str, run: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{api}/flow_runs/{run}").raise_for_status().json()
    return found


def test_a_firing_alert_becomes_a_run_of_the_retrain_deployment_that_says_what_started_it(running: Running, deployed: str) -> None:
    one = alert()
    answer = running.post("/hooks/alertmanager", notification(one))
    assert answer.status_code == 202, answer.text
    run = run_of(deployed, answer.json()["flow_run"])
    alert_id = f"{one['fingerprint']}@2026-03-01T10:00:00.123000+00:00"
    assert run["parameters"] == {
        "pipeline": "demand", "reason": "ErrorRose: the loss rose by 40 %", "cause": "drift", "actor": "alertmanager", "alert_id": alert_id,
    }  # fmt: skip
    assert run["idempotency_key"] == f"demand:{alert_id}"
    assert run["work_queue_name"] == "drift"
    assert answer.json()["url"] == f"{deployed.removesuffix('/api')}/runs/flow-run/{run['id']}"
    (call,) = running.calls()
    assert (call["kind"], call["pipeline"], call["cause"], call["status"], call["flow_run"]) == (
        "alertmanager", "demand", "drift", 202, run["id"],
    )  # fmt: skip


def test_the_run_is_noted_with_what_the_monitor_asked_whichever_way_it_came(running: Running, deployed: str) -> None:
    ledger = Ledger(f"sqlite:///{running.home / 'ledger.db'}")
    asked = Alert("demand-v1-retrain-1", "demand", Severity.RETRAIN, "the loss rose", datetime.now(UTC))
    others = (
        replace(asked, id="w", severity=Severity.WARN),
        replace(asked, id="c", pipeline="clicks"),
        replace(asked, id="t", flow_run="r0"),
    )
    for one in (asked, *others):
        ledger.open_alert(one)
    run = running.post("/hooks/alertmanager", notification(alert(cause="drift"))).json()["flow_run"]
    assert {one.id: one.flow_run for one in (*ledger.alerts("demand"), *ledger.alerts("clicks"))} == {
        "demand-v1-retrain-1": run, "w": None, "c": None, "t": "r0",
    }  # fmt: skip
    ledger.close()


def test_a_signed_event_becomes_a_run_and_told_again_gives_the_same_one(running: Running, deployed: str) -> None:
    one = event()
    body = httpx.Request("POST", "http://x", json=one).content
    answers = [running.post_signed("/hooks/event", body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3, answers[0].text
    assert len({answer.json()["flow_run"] for answer in answers}) == 1
    run = run_of(deployed, answers[0].json()["flow_run"])
    assert (run["parameters"]["actor"], run["parameters"]["alert_id"]) == ("understudy/monitor", one["id"])


def test_what_the_monitor_sends_is_what_the_receiver_takes(running: Running, deployed: str) -> None:
    one = Alert(f"clicks-{uuid.uuid4().hex}", "clicks", Severity.RETRAIN, "the loss rose by 40 %", datetime(2026, 3, 1, tzinfo=UTC))
    delivery = send_alert(running.url, SECRET, one)
    assert delivery == send_alert(running.url, SECRET, one)
    assert run_of(deployed, str(delivery.flow_run))["parameters"]["reason"] == "the loss rose by 40 %"
    quiet = send_alert(running.url, SECRET, replace(one, id="quiet", severity=Severity.WARN))
    assert (quiet.flow_run, quiet.detail) == (None, "severity 'warn' asks for no retrain")
    with pytest.raises(Refused, match="There is no pipeline 'gone'"):
        send_alert(running.url, SECRET, replace(one, pipeline="gone"))


def test_a_binary_event_is_read_from_its_headers_where_the_sender_holds_the_token(running: Running) -> None:
    attributes = {"ce-specversion": "1.0", "ce-type": "understudy.retrain", "ce-source": "ci", "ce-id": uuid.uuid4().hex}
    answer = running.post("/hooks/event", {"pipeline": "demand", "cause": "new_data"}, **attributes)
    assert answer.status_code == 202, answer.text
    assert answer.json()["reason"] == "asked for by ci"


def at_once(times: int, ask: Callable[[], Any]) -> list[Any]:
    """Ask from so many threads that all begin at the same moment."""
    gate = threading.Barrier(times)

    def one(_: int) -> Any:
        gate.wait(60)
        return ask()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


@pytest.mark.parametrize("pipeline", ["demand", "clicks"])
def test_a_hundred_notifications_of_one_alert_at_once_give_one_run(running: Running, deployed: str, pipeline: str) -> None:
    body = notification(alert(pipeline))
    answers = at_once(100, lambda: running.post("/hooks/alertmanager", body))
    kept = sorted(call["status"] for call in running.calls())
    assert kept == sorted(answer.status_code for answer in answers)
    assert set(kept) <= {202, 503}  # where the machine is too slow for all to have their turn, the last ones are asked to come back
    again = [running.post("/hooks/alertmanager", body) for answer in answers if answer.status_code == 503]
    (run,) = {answer.json()["flow_run"] for answer in (*answers, *again) if answer.status_code != 503}
    assert {answer.status_code for answer in again} <= {202}
    key = run_of(deployed, run)["idempotency_key"]
    made = httpx.post(f"{deployed}/flow_runs/count", json={"flow_runs": {"idempotency_key": {"any_": [key]}}}).json()
    assert made == 1


def test_an_alert_told_by_a_hundred_at_once_while_the_receiver_is_killed_gives_one_run(home: Path, deployed: str) -> None:
    body = notification(alert("clicks"))  # on an event clock no cool-down hides a second run

    def tell(running: Running) -> str | None:
        try:
            found = str(running.post("/hooks/alertmanager", body).json()["flow_run"])
        except (httpx.TransportError, ValueError):  # the receiver died; Alertmanager would come back
            return None
        running.process.kill()  # the first who hears of a run ends it for the others
        return found

    with receiver(home, deployed) as first:
        before = set(at_once(100, lambda: tell(first)))
    with receiver(home, deployed) as second:
        after = {answer.json()["flow_run"] for answer in at_once(100, lambda: second.post("/hooks/alertmanager", body))}
    assert None in before
    assert after == before - {None}
    assert len(after) == 1


def test_within_the_cool_down_another_alert_waits_and_the_same_one_keeps_its_run_across_a_restart(home: Path, deployed: str) -> None:
    first, second = notification(alert()), notification(alert())
    with receiver(home, deployed) as running:
        started = running.post("/hooks/alertmanager", first).json()
        waiting = running.post("/hooks/alertmanager", second)
        assert (waiting.status_code, waiting.json()["flow_run"]) == (200, None)
        assert f"cooling down: run {started['flow_run']} was started less than 1h ago for the same cause" in waiting.json()["reason"]
        assert running.post("/hooks/event", event(cause="new_data")).status_code == 202  # another cause has its own time
    with receiver(home, deployed) as running:
        assert running.post("/hooks/alertmanager", second).status_code == 200
        assert running.post("/hooks/alertmanager", first).json()["flow_run"] == started["flow_run"]


def test_on_an_event_clock_the_receiver_leaves_the_cool_down_to_the_monitor(running: Running) -> None:
    answers = [running.post("/hooks/event", event("clicks")) for _ in range(2)]
    assert len({answer.json()["flow_run"] for answer in answers}) == 2


def test_each_alert_of_a_notification_is_told_what_was_done_about_it(running: Running) -> None:
    answer = running.post(
        "/hooks/alertmanager",
        notification(
            alert(fingerprint="aaaa"),
            alert(fingerprint="bbbb"),
            alert(status="resolved"),
            alert(severity="warn"),
            alert("nothing_here"),
            {**alert(), "labels": {"alertname": "Other"}},
        ),
    )
    assert answer.status_code == 202
    reasons = [(one["pipeline"], one["reason"]) for one in answer.json()["alerts"]]
    assert sorted(reasons) == [
        ("", "the alert has no label 'pipeline'"),
        ("demand", "ErrorRose: the loss rose by 40 %"),
        ("demand", "another alert of this notification asks for the same"),
        ("demand", "resolved: nothing to start, and a run that it started goes on"),
        ("demand", "severity 'warn' asks for no retrain"),
        ("nothing_here", "There is no pipeline 'nothing_here'."),
    ]
    assert sum(one["flow_run"] is not None for one in answer.json()["alerts"]) == 1


def test_a_resolved_alert_is_understood_and_starts_nothing(running: Running) -> None:
    answer = running.post("/hooks/alertmanager", notification(alert(status="resolved")))
    assert (answer.status_code, answer.json()["flow_run"]) == (200, None)
    assert running.calls()[0]["detail"].startswith("resolved")


def test_pipeline_files_that_are_broken_lose_no_alert(running: Running) -> None:
    answer = running.post("/hooks/event", event("broken"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "pipeline.yaml:2: unknown: unknown key." in answer.json()["error"]


@pytest.mark.parametrize("known", [True, False])
def test_without_prefect_the_sender_is_asked_to_come_back_and_nothing_is_lost(home: Path, known: bool, deployed: str) -> None:
    body = notification(alert())
    with receiver(home, f"http://127.0.0.1:{free_port()}/api" if known else None) as running:
        answer = running.post("/hooks/alertmanager", body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert "Prefect" in answer.json()["error"]
        assert httpx.get(running.url + "/ready").status_code == 503
        assert running.calls()[0]["status"] == 503
    with receiver(home, deployed) as running:
        assert httpx.get(running.url + "/ready").status_code == 200
        assert running.post("/hooks/alertmanager", body).status_code == 202


def test_a_deployment_that_is_not_registered_yet_is_asked_for_again(home: Path, deployed: str) -> None:
    (home / "pipelines" / "demand").rename(home / "pipelines" / "fresh")
    text = (home / "pipelines" / "fresh" / "pipeline.yaml").read_text()
    (home / "pipelines" / "fresh" / "pipeline.yaml").write_text(text.replace("name: demand", "name: fresh"))
    with receiver(home, deployed) as running:
        answer = running.post("/hooks/event", event("fresh"))
        assert answer.status_code == 503
        assert "There is no deployment 'retrain/fresh'" in answer.json()["error"]


@pytest.mark.parametrize(("secret", "message"), [(None, "There is no webhook secret."), ("", "There is no"), ("short", "has 5 characters")])
def test_it_does_not_start_without_a_secret_that_cannot_be_guessed(tmp_path: Path, secret: str | None, message: str) -> None:
    if secret is not None:
        (tmp_path / "webhook.secret").write_text(secret)
    env = {"UNDERSTUDY_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "webhook"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_it_stops_in_good_order_and_never_logs_the_secret(home: Path) -> None:
    with receiver(home, None) as running:
        running.post("/hooks/event", event())
        began = time.monotonic()
        running.process.terminate()
        assert running.process.wait(10) == 0
        assert time.monotonic() - began < 5
    assert SECRET not in (home / "webhook.log").read_text()
