"""What strangers, broken senders and fuzzers send is refused with a sentence, never with a run, a 500 or a full ledger."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.webhook.conftest import SECRET, Running, receiver
from tests.webhook.test_receiver import alert, event, notification
from webhook.alertmanager import read_notification
from webhook.asked import REASON_CHARACTERS, BadNotification, printable
from webhook.cloud_event import read_event
from webhook.limits import BODY_BYTES, BURST, CallRate

NO_TOKEN = {"Authorization": ""}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield a receiver without Prefect: whatever it lets through shows as 503."""
    from tests.webhook.conftest import write_pipeline

    home = tmp_path_factory.mktemp("hostile")
    (home / "webhook.secret").write_text(SECRET)
    write_pipeline(home / "pipelines", "demand")
    with receiver(home, None) as one:
        yield one


def signature(body: bytes, at: float, secret: str = SECRET) -> dict[str, str]:
    return {TIMESTAMP_HEADER: str(int(at)), SIGNATURE_HEADER: sign(secret, int(at), body)} | NO_TOKEN


def test_the_right_sender_would_have_been_let_through(alone: Running) -> None:
    assert alone.post("/hooks/event", event()).status_code == 503  # so that the refusals below are about what they say


BODY = json.dumps(event()).encode()


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        (NO_TOKEN, "no bearer token and no signature"),
        ({"Authorization": "Bearer wrong-secret-of-some-length"}, "not the receiver's secret"),
        ({"Authorization": f"Basic {SECRET}"}, "not the receiver's secret"),
        ({"Authorization": f"Bearer {SECRET}x"}, "not the receiver's secret"),
        ({"Authorization": "Bearer"}, "not the receiver's secret"),
        (signature(BODY, time.time(), "another secret, as long as ours"), "does not fit the body"),
        (signature(BODY + b" ", time.time()), "does not fit the body"),
        (signature(BODY, time.time() - 3600), "300 s old"),
        (signature(BODY, time.time() + 3600), "from the future"),
        (signature(BODY, time.time()) | {TIMESTAMP_HEADER: "yesterday"}, "no whole number"),
        (signature(BODY, time.time()) | {TIMESTAMP_HEADER: "9" * 4000}, "no whole number"),
        (signature(BODY, time.time()) | {SIGNATURE_HEADER: "sha256=" + "0" * 64}, "does not fit the body"),
        (signature(BODY, time.time()) | {"ce-specversion": "1.0", "ce-id": "another"}, "does not cover the attributes"),
    ],
)
def test_who_does_not_hold_the_secret_is_refused(alone: Running, headers: dict[str, str], says: str) -> None:
    answer = alone.post("/hooks/event", BODY, **headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert says in answer.json()["error"]
    assert SECRET not in answer.text


def changed(path: str, value: Any) -> dict[str, Any]:
    one = event()
    *inner, last = path.split(".")
    here = one
    for name in inner:
        here = here[name]
    here[last] = value
    return one


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("event", b"", 400, "body: Invalid JSON"),
        ("event", b"\x00\xff\xfe", 400, "body: Invalid JSON"),
        ("event", b"[" * 100_000, 400, "body: Invalid JSON"),
        ("event", b'{"a":' * 50_000, 400, "body: Invalid JSON"),
        ("event", b"null", 400, "body: Input should be"),
        ("event", changed("specversion", "0.3"), 400, "specversion: Input should be '1.0'"),
        ("event", changed("type", "understudy.delete"), 400, "type: Input should be 'understudy.retrain'"),
        ("event", changed("id", ""), 400, "id: String should match"),
        ("event", changed("id", "x" * 129), 400, "id: String should match"),
        ("event", changed("id", "a\nb"), 400, "id: String should match"),
        ("event", changed("id", "ключ"), 400, "id: String should match"),
        ("event", changed("source", "s" * 101), 400, "source: String should have at most 100"),
        ("event", changed("data", "pipeline"), 400, "data: Input should be"),
        ("event", changed("data.cause", "because"), 400, "data.cause: Input should be 'drift' or 'new_data'."),
        ("event", changed("data.cause", "operator"), 400, "data.cause: Input should be 'drift' or 'new_data'."),
        ("event", changed("data.cause", "schedule"), 400, "data.cause: Input should be 'drift' or 'new_data'."),
        ("event", changed("data.pipeline", ["demand"]), 400, "data.pipeline: Input should be a valid string"),
        ("event", changed("data.pipeline", "../../etc/passwd"), 404, "There is no pipeline '../../etc/passwd'."),
        ("event", changed("data.pipeline", "demand/../demand"), 404, "There is no pipeline"),
        ("event", changed("data.pipeline", "demand\x00"), 404, "There is no pipeline 'demand'."),
        ("event", changed("data.pipeline", "démand"), 404, "There is no pipeline 'démand'."),
        ("event", changed("data.pipeline", "ｄemand"), 404, "There is no pipeline"),
        ("event", changed("data.pipeline", "p" * 100_000), 404, "There is no pipeline 'ppp"),
        ("event", changed("data.pipeline", ""), 404, "There is no pipeline ''."),
        ("alertmanager", b"{}", 400, "version: Field required"),
        ("alertmanager", notification() | {"version": "3"}, 400, "version: Input should be '4'"),
        ("alertmanager", notification(), 400, "alerts: List should have at least 1 item"),
        ("alertmanager", notification(alert() | {"status": "burning"}), 400, "alerts.0.status: Input should be"),
        ("alertmanager", notification(alert() | {"startsAt": "soon"}), 400, "alerts.0.startsAt: Input should be"),
        ("alertmanager", notification(alert() | {"startsAt": "2026-03-01T10:00:00"}), 400, "alerts.0.startsAt: Input should have timezone"),
        ("alertmanager", notification(alert() | {"fingerprint": "../x"}), 400, "alerts.0.fingerprint: String should match"),
        ("alertmanager", notification(alert() | {"labels": {"pipeline": 7}}), 400, "alerts.0.labels.pipeline: Input should be"),
        ("alertmanager", notification(alert("no_such_pipeline")), 404, "There is no pipeline 'no_such_pipeline'."),
        ("alertmanager", b" " * (BODY_BYTES + 1), 413, "larger than 262144 bytes"),
    ],
)  # fmt: skip
def test_a_body_that_is_wrong_is_answered_with_one_sentence(alone: Running, path: str, body: Any, status: int, says: str) -> None:
    answer = alone.post(f"/hooks/{path}", body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]
    assert len(answer.text) < 1000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hooks/event", 405),
        ("DELETE", "/hooks/alertmanager", 405),
        ("POST", "/hooks/event/", 404),
        ("POST", "//hooks/event", 404),
        ("POST", "/hooks/%2e%2e/hooks/event", 404),
        ("POST", "/hooks/../health", 404),
        ("POST", "/hooks/event%00", 404),
        ("POST", "/hooks/retrain", 404),
        ("GET", "/", 404),
    ],
)
def test_only_the_paths_that_exist_lead_somewhere(alone: Running, method: str, path: str, status: int) -> None:
    host, port = alone.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as one:  # a client library would tidy the path
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nConnection: close\r\n"
        one.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        assert int(one.recv(4096).split()[1]) == status


def test_a_body_of_another_kind_is_refused(alone: Running) -> None:
    assert alone.post("/hooks/event", BODY, **{"Content-Type": "text/xml"}).status_code == 415
    assert alone.post("/hooks/event", BODY, **{"Content-Type": "application/cloudevents-batch+json"}).status_code == 415


def test_a_body_that_announces_nothing_is_cut_off_at_the_limit(alone: Running) -> None:
    pieces = (b" " * 65536 for _ in range(100))
    answer = httpx.post(alone.url + "/hooks/event", content=pieces, headers={"Authorization": f"Bearer {SECRET}"}, timeout=20)
    assert answer.status_code == 413


def test_huge_labels_and_strange_letters_are_cut_to_one_printable_line(alone: Running) -> None:
    words = "line\nbreak\x00\x1b[31m" + "ü" * 5000
    one = alert("demand", **{f"label{number}": "x" * 1000 for number in range(100)}) | {"annotations": {"summary": words}}
    assert alone.post("/hooks/alertmanager", notification(one)).status_code == 503
    (asked,) = read_notification(json.dumps(notification(one)).encode())
    assert len(asked.trigger.reason) == REASON_CHARACTERS
    assert asked.trigger.reason.startswith("ErrorRose: line break  [31müüü")


def test_every_refused_call_is_in_the_ledger_without_what_it_sent(alone: Running) -> None:
    before = len(alone.calls())
    alone.post("/hooks/event", BODY, **NO_TOKEN)
    alone.post("/hooks/event", changed("data.pipeline", "x" * 9000))
    kept = alone.calls()[before:]
    assert [(call["kind"], call["status"], call["pipeline"], call["flow_run"]) for call in kept] == [
        ("event", 401, None, None),
        ("event", 404, None, None),
    ]
    assert all(len(call["detail"]) <= REASON_CHARACTERS for call in alone.calls())
    assert not any(call["status"] in (202, 500) for call in alone.calls())


def test_a_flood_is_slowed_down_and_does_not_fill_the_ledger(home: Path) -> None:
    with receiver(home, None) as running, httpx.Client() as client:
        statuses = [client.post(running.url + "/hooks/event", content=b"{}").status_code for _ in range(BURST + 100)]
        assert set(statuses) == {401, 429}
        assert statuses[:BURST] == [401] * BURST
        assert len(running.calls()) < BURST


def test_a_flood_from_one_address_leaves_the_others_alone() -> None:
    now = [0.0]
    rate = CallRate(lambda: now[0], burst=2, per_second=1.0)
    assert [rate.allows("a") for _ in range(3)] == [True, True, False]
    assert rate.allows("b")
    now[0] = 1.0
    assert [rate.allows("a") for _ in range(2)] == [True, False]
    for number in range(5000):
        rate.allows(str(number))
    assert len(rate._buckets) <= 1024


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(max_examples=150)
@given(st.binary() | st.builds(lambda value: json.dumps(value).encode(), JSON))
def test_any_bytes_are_a_notification_or_a_clear_refusal(content: bytes) -> None:
    for read in (read_notification, lambda body: read_event(body, {}), lambda body: read_event(body, {"ce-specversion": "1.0"})):
        with pytest.raises(BadNotification):
            read(content)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from([*event(), "data_base64"]), JSON), st.dictionaries(st.sampled_from(list(event()["data"])), JSON))
def test_a_fuzzed_event_is_bounded_or_refused(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    one = event() | outer
    if isinstance(one["data"], dict):
        one["data"] = event()["data"] | inner
    try:
        asked, said = read_event(json.dumps(one).encode(), {}), ""
    except BadNotification as refused:
        asked, said = None, str(refused)
    if asked is None:
        assert len(said) <= 310
        return
    assert len(asked.trigger.reason) <= REASON_CHARACTERS
    assert asked.trigger.reason.isprintable()
    assert 0 < len(asked.trigger.alert_id or "") <= 128


@given(st.text(), st.integers(1, 50))
def test_printable_is_printable_and_short(text: str, most: int) -> None:
    assert printable(text, most).isprintable()
    assert len(printable(text, most)) <= most
