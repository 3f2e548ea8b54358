"""What cannot be answered is refused with the right status and one sentence; nobody else pays for it, and nothing inside is shown."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from contracts.traffic import AnsweredBatch, FailedBatch
from tests.serving.gateway.world import Gateway, World, tensors

GOOD = {"a": [0.5], "b": [3], "kind": ["x"]}
TAKES = "The model takes: a, b, kind."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"inputs": tensors({"a": [0.5], "b": [3]})}, f"Column 'kind' is missing. {TAKES}"),
        ({"inputs": tensors(GOOD | {"b": [3, "x"]})}, "Column 'b', row 1: 'x' is not an int."),
        ({"inputs": [*tensors(), {"name": "wind", "datatype": "FP64", "shape": [1], "data": [1.0]}]}, f"Column 'wind' is unknown. {TAKES}"),
        ({"inputs": tensors(), "id": 7}, "The id 7 is not a text of at most 200 letters."),
        ({"inputs": tensors(), "parameters": []}, "'parameters' is not an object."),
        (
            {"inputs": tensors(), "parameters": {"event_time": "2026-01-01T00:00:00"}},
            "parameters.event_time: '2026-01-01T00:00:00' is not an RFC 3339 time with its offset. Write it like 2026-01-31T08:00:00Z.",
        ),
        (
            {"inputs": tensors(), "parameters": {"event_time": [12]}},
            "parameters.event_time, row 0: 12 is not an RFC 3339 time with its offset. Write it like 2026-01-31T08:00:00Z.",
        ),
        ({"inputs": tensors(), "parameters": {"unit": ["a", "b"]}}, "parameters.unit has 2 values but the request has 1 rows."),
        ({"inputs": tensors(), "outputs": [{"name": "score"}]}, "Output 'score' is unknown. The model gives: prediction."),
        ({}, "The request has no 'inputs'. Send a list with one tensor for each column."),
        ([], "The request has no 'inputs'. Send a list with one tensor for each column."),
    ],
)
def test_what_the_caller_can_mend_is_400_and_says_what(gateway: Gateway, body: Any, message: str) -> None:
    answer = gateway.client.post("/v2/models/demand/infer", json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": message})


@pytest.mark.parametrize(
    ("path", "content", "headers", "message"),
    [
        ("/v2/models/demand/infer", b"{", {}, "The body cannot be read: Input data was truncated."),
        ("/v2/models/demand/infer", b'{"id": "\xff"}', {}, "The body cannot be read:"),
        ("/v2/models/demand/infer", b"[" * 100_000, {}, "The body cannot be read: it is nested too deeply."),
        ("/v2/models/demand/infer", b'{"inputs": NaN}', {}, "The body cannot be read: JSON is malformed"),
        ("/v2/models/demand/infer", b"", {"inference-header-content-length": "9"}, "'9' does not fit a body of 0 bytes."),
        ("/v2/models/demand/infer", b"x", {"content-encoding": "gzip"}, "A compressed body is not taken."),
        ("/v2/models/demand/feedback", b'{"feedback": []}', {}, "The feedback is empty."),
        ("/v2/models/demand/feedback", b'{"feedback": [{"id": "x", "row": "a", "label": 1}]}', {}, "at `$.feedback[0].row`"),
        ("/v2/models/demand/feedback", b'{"feedback": [{"id": "x"}]}', {}, "Feedback 0: there is neither a label nor a reward."),
        ("/v2/models/demand/feedback", b'{"feedback": [{"id": "x", "label": "y"}]}', {}, "Feedback 0: the label 'y' is not a number."),
        ("/v2/models/demand/feedback", b'{"feedback": [{"id": "x", "label": 1, "row": -1}]}', {}, "Feedback 0: row -1 is not the index"),
        ("/v2/models/demand/feedback", b'{"feedback": [{"id": "x", "label": 1, "observed_at": "2026-01-01T00:00:00"}]}', {}, "no offset"),
        ("/v2/models/clicks/feedback", b'{"feedback": [{"id": "x", "label": [1]}]}', {}, "the label [1] is not a single value."),
        ("/invocations", b"{}", {}, "Several models are served here. Name one: /invocations?model=breaks"),
        ("/invocations?model=demand", b"{}", {}, "The request needs exactly one of dataframe_split"),
        ("/invocations?model=demand", b"a", {"content-type": "text/xml"}, "The content type 'text/xml' is not taken."),
        ("/invocations?model=demand", b"a", {"content-type": "text/csv; charset=latin-1"}, "The charset 'latin-1' is not taken."),
        ("/invocations?model=demand", b"\xff", {"content-type": "text/csv"}, "The CSV is not UTF-8"),
        ("/invocations?model=demand", b"a,b,kind\nwarm,1,x\n", {"content-type": "text/csv"}, "Column 'a', row 0: 'warm' is not a float."),
    ],
)
def test_bytes_that_are_no_request_are_400(gateway: Gateway, path: str, content: bytes, headers: dict[str, str], message: str) -> None:
    answer = gateway.client.post(path, content=content, headers=headers)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_a_missing_value_is_refused_only_where_the_model_cannot_answer_it(gateway: Gateway) -> None:
    answer = gateway.infer("linear", GOOD | {"a": [None]})
    assert answer.status_code == 400
    assert answer.json()["error"] == "Column 'a', row 0 is missing, and the model takes no missing value there."
    assert gateway.infer("linear", GOOD | {"kind": [None]}).status_code == 200
    assert gateway.infer("demand", GOOD | {"a": [None]}).status_code == 200


@pytest.mark.parametrize("path", ["/v2/models/nobody/infer", "/v2/models/nobody/feedback", "/invocations?model=nobody"])
def test_an_unknown_model_is_404_and_those_served_are_named(gateway: Gateway, path: str) -> None:
    answer = gateway.client.post(path, json={})
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("There is no model 'nobody' here. Served are: breaks, clicks, demand, ")


def test_unknown_paths_and_methods_are_said_in_json(gateway: Gateway) -> None:
    assert gateway.client.get("/nowhere").json() == {"error": "There is nothing at /nowhere."}
    answer = gateway.client.get("/v2/models/demand/infer")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": "/v2/models/demand/infer does not take GET."}


def test_too_many_rows_or_bytes_are_413(gateway: Gateway) -> None:
    many = gateway.infer("demand", {"a": [0.5] * 2001, "b": [3] * 2001, "kind": ["x"] * 2001})
    assert (many.status_code, many.json()["error"]) == (413, "The request has 2001 rows; at most 2000 are taken in one. Send it in parts.")
    large = gateway.client.post("/v2/models/demand/infer", content=b" " * 200_001)
    assert (large.status_code, large.json()["error"]) == (
        413,
        "The body has 200001 bytes; at most 200000 are taken. Send fewer rows at once.",
    )
    assert gateway.infer("demand", {"a": [0.5] * 2000, "b": [3] * 2000, "kind": ["x"] * 2000}).status_code == 200


def test_a_body_of_untold_length_is_cut_off_at_the_limit(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as one:
        one.sendall(b"POST /v2/models/demand/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(50):
                one.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        except OSError:
            pass  # the gateway has answered and hung up
        one.settimeout(10)
        assert one.recv(12) == b"HTTP/1.1 413"


def test_beyond_what_may_wait_a_request_is_429_and_the_others_are_answered(gateway: Gateway) -> None:
    columns = {"a": [0.5] * 600, "b": [3] * 600, "kind": ["x"] * 600}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: gateway.infer("slow", columns), range(8)))
    codes = [one.status_code for one in answers]
    assert set(codes) == {200, 429}
    assert codes.count(200) >= 4
    refused = answers[codes.index(429)]
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"].endswith("rows wait for 'slow', no more are taken. Try again in a second.")


def test_a_slow_model_holds_up_no_other_pipeline(gateway: Gateway) -> None:
    waiting = [threading.Thread(target=gateway.infer, args=("slow",)) for _ in range(3)]  # one micro-batch, and one after it
    for one in waiting:
        one.start()
    time.sleep(0.1)
    assert gateway.infer("demand").status_code == 200
    assert any(one.is_alive() for one in waiting)
    for one in waiting:
        one.join()


def test_a_request_that_breaks_the_model_is_500_without_its_secrets_and_its_neighbours_are_answered(
    gateway: Gateway, shared: World
) -> None:
    ask = [{"id": f"b{number}", "columns": GOOD | {"a": [666.0 if number == 3 else 0.5]}} for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: gateway.infer("breaks", one["columns"], id=one["id"]), ask))
    assert [one.status_code for one in answers] == [200, 200, 200, 500, 200, 200, 200, 200]
    assert answers[3].json() == {"error": "Version 1 could not answer request b3. Its log has the cause."}
    failed = [one for one in shared.log("breaks").read(FailedBatch, "failures") if "b3" in one.request_ids]
    assert [(one.version, one.epoch, one.request_ids, one.error) for one in failed] == [
        ("1", 1, ["b3"], "RuntimeError: the devil is in it")
    ]
    logged = {one for batch in shared.log("breaks").read(AnsweredBatch, "answers") for one in batch.request_ids}
    assert {f"b{number}" for number in range(8)} - logged == {"b3"}
    assert gateway.metric('understudy_requests_total{code="500",pipeline="breaks"') == 1


def test_a_log_that_cannot_be_written_is_counted_and_said_while_answers_go_on(gateway: Gateway, shared: World) -> None:
    (shared.settings.traffic).mkdir(exist_ok=True)
    (shared.settings.traffic / "unlogged").write_text("a file where a folder should be")
    shared.route("unlogged", shared.make("unlogged", "1"))
    gateway.wait_until(lambda: gateway.version("unlogged") == "1", "serve the pipeline")
    before = gateway.metric("understudy_traffic_log_lost_rows_total")
    answers = [gateway.infer("unlogged", {"a": [0.5, 1.0], "b": [3, 4], "kind": ["x", "y"]}) for _ in range(3)]
    assert [one.status_code for one in answers] == [200] * 3
    assert gateway.metric("understudy_traffic_log_lost_rows_total") - before == 6
    assert gateway.said().count("The traffic log cannot be written") == 1
    feedback = gateway.client.post("/v2/models/unlogged/feedback", json={"feedback": [{"id": "x", "label": 1}]})
    assert (feedback.status_code, feedback.headers["retry-after"]) == (503, "1")
    (shared.settings.traffic / "unlogged").unlink()
    assert gateway.infer("unlogged", id="again").status_code == 200
    assert [one.request_ids for one in shared.log("unlogged").read(AnsweredBatch, "answers")] == [["again"]]
    assert "The traffic log is written again" in gateway.said()


def test_the_log_of_the_process_shows_no_payload_and_no_secret(gateway: Gateway) -> None:
    headers = {"Authorization": "Bearer hunter2"}
    gateway.client.post("/v2/models/demand/infer?token=hunter2", json={"inputs": tensors(GOOD | {"kind": [8675309123]})}, headers=headers)
    gateway.client.get("/nowhere?token=hunter2", headers=headers)
    assert '"path": "/nowhere", "status": 404' in gateway.said()
    assert "hunter2" not in gateway.said()
    assert "8675309123" not in gateway.said()
