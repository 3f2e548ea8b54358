"""Clients nobody here wrote, and the forms they send: answered, by the version that says so, and logged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import tritonclient.http as triton

from adapters.pipeline_files import Pipeline
from adapters.traffic_log import epoch_us
from contracts.spec import Params, PipelineSpec
from contracts.traffic import AnsweredBatch, FeedbackBatch
from tests.serving.gateway.world import ROW, Gateway, World, rows, spec, tensors
from understudy.replay import replay_frame

COLUMNS = {"a": [0.5, None, -1.0], "b": [3, 4, 5], "kind": ["x", "y", None]}


def logged(world: World, pipeline: str, request_id: str) -> AnsweredBatch:
    return next(one for one in world.log(pipeline).read(AnsweredBatch, "answers") if request_id in one.request_ids)


def triton_inputs(binary: bool) -> list[triton.InferInput]:
    values = {"a": np.array([[0.5]], dtype=np.float32), "b": np.array([3], dtype=np.int16), "kind": np.array(["x"], dtype=object)}
    kinds = {"a": "FP32", "b": "INT16", "kind": "BYTES"}
    inputs = [triton.InferInput(name, list(one.shape), kinds[name]) for name, one in values.items()]
    for one, data in zip(inputs, values.values(), strict=True):
        one.set_data_from_numpy(data, binary_data=binary)
    return inputs


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_asks_and_is_answered(gateway: Gateway, binary: bool) -> None:
    client = triton.InferenceServerClient(f"127.0.0.1:{gateway.port}")
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("clicks")
        assert client.get_model_metadata("clicks")["versions"] == ["1"]
        wanted = [triton.InferRequestedOutput("probability", binary_data=False), triton.InferRequestedOutput("label", binary_data=False)]
        answer = client.infer("clicks", triton_inputs(binary), request_id=f"triton-{binary}", outputs=wanted)
        whole = client.infer("demand", triton_inputs(binary))
    finally:
        client.close()
    assert answer.get_response()["id"] == f"triton-{binary}"
    assert answer.get_response()["model_version"] == "1"
    assert 0 <= answer.as_numpy("probability")[0] <= 1
    assert answer.as_numpy("label")[0] == (answer.as_numpy("probability")[0] > 0.5)
    assert whole.get_response()["model_version"] == "7"
    assert whole.as_numpy("prediction").shape == (1,)


def test_tritonclient_gets_its_outputs_in_binary_where_it_asks_for_them(gateway: Gateway) -> None:
    client = triton.InferenceServerClient(f"127.0.0.1:{gateway.port}")
    try:
        wanted = [triton.InferRequestedOutput("probability"), triton.InferRequestedOutput("label", binary_data=False)]
        answer = client.infer("clicks", triton_inputs(binary=True), outputs=wanted)
        plain = client.infer("clicks", triton_inputs(binary=True), outputs=[triton.InferRequestedOutput("probability", binary_data=False)])
    finally:
        client.close()
    assert answer.get_output("probability")["parameters"] == {"binary_data_size": 8}
    assert "data" not in answer.get_output("probability")
    assert answer.as_numpy("probability").tolist() == plain.as_numpy("probability").tolist()
    assert "data" in answer.get_output("label")


def test_a_version_may_be_named_and_another_than_the_champion_does_not_answer(gateway: Gateway) -> None:
    body = {"inputs": tensors()}
    assert gateway.client.post("/v2/models/demand/versions/7/infer", json=body).json()["model_version"] == "7"
    assert gateway.client.get("/v2/models/demand/versions/7").json()["versions"] == ["7"]
    assert gateway.client.get("/v2/models/demand/versions/7/ready").json()["ready"] is True
    refused = gateway.client.post("/v2/models/demand/versions/6/infer", json=body)
    assert refused.status_code == 404
    assert "Version 7 does" in refused.json()["error"]


def test_an_answer_is_logged_with_what_was_asked_by_whom_and_when(gateway: Gateway, shared: World) -> None:
    times = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00+01:00", "2026-03-02T00:00:00.5Z"]
    answer = gateway.infer("demand", COLUMNS, id="whole", parameters={"event_time": times, "unit": ["u", None, "v"]}).json()
    batch = logged(shared, "demand", "whole")
    assert (batch.version, batch.epoch, batch.arm, batch.propensity) == ("7", 1, "champion", 1.0)
    assert (batch.request_ids, batch.rows, batch.units) == (["whole"] * 3, [0, 1, 2], ["u", None, "v"])
    assert [datetime.fromtimestamp(one / 1e6, UTC).isoformat() for one in batch.event_times] == [
        "2026-03-01T00:00:00+00:00",
        "2026-03-01T00:00:00+00:00",
        "2026-03-02T00:00:00.500000+00:00",
    ]
    assert batch.predictions == answer["outputs"][0]["data"]
    assert batch.features["b"] == [3, 4, 5]
    assert batch.features["kind"] == ["x", "y", None]
    assert batch.latency_us > 0
    assert abs(batch.logged_at - epoch_us(datetime.now(UTC))) < 60_000_000


def test_an_id_and_an_event_time_are_made_where_none_came(gateway: Gateway, shared: World) -> None:
    before = epoch_us(datetime.now(UTC))
    made = gateway.infer("demand").json()["id"]
    assert made
    assert logged(shared, "demand", made).event_times[0] >= before
    assert gateway.infer("demand").json()["id"] != made


def test_every_mlflow_form_gives_the_same_predictions(gateway: Gateway) -> None:
    names = list(ROW)
    table = [[0.5, 3, "x"], [1.5, 4, "y"]]
    forms = [
        {"dataframe_split": {"columns": names, "data": table}},
        {"dataframe_records": [dict(zip(names, row, strict=True)) for row in table]},
        {"instances": table},
        {"inputs": {name: [row[place] for row in table] for place, name in enumerate(names)}},
    ]
    answers = [gateway.client.post("/invocations?model=demand", json=form) for form in forms]
    csv = "a,b,kind\n0.5,3,x\n1.5,4,y\n"
    answers.append(gateway.client.post("/invocations?model=demand", content=csv, headers={"content-type": "text/csv; charset=utf-8"}))
    wanted = gateway.infer("demand", {"a": [0.5, 1.5], "b": [3, 4], "kind": ["x", "y"]}).json()["outputs"][0]["data"]
    assert [one.json() for one in answers] == [{"predictions": wanted}] * 5
    asked = forms[0] | {"params": {"output": "label", "more": 1}}
    labels = gateway.client.post("/invocations?model=clicks", json=asked, headers={"X-Request-Id": "mine"})
    chances = gateway.client.post("/invocations?model=clicks", json=forms[0]).json()["predictions"]
    assert [int(one > 0.5) for one in chances] == labels.json()["predictions"]
    wrong = gateway.client.post("/invocations?model=clicks", json=forms[0] | {"params": {"output": "rank"}})
    assert (wrong.status_code, "params.output: 'rank' is unknown." in wrong.json()["error"]) == (400, True)
    assert set(labels.json()["predictions"]) <= {0, 1}
    assert (labels.headers["understudy-version"], labels.headers["x-request-id"]) == ("1", "mine")


def test_a_model_says_which_engine_answers_and_why(gateway: Gateway) -> None:
    proved, plain = (gateway.client.get(f"/v2/models/{name}").json() for name in ("demand", "clicks"))
    assert (proved["platform"], proved["parameters"]["engine"]) == ("understudy_onnxruntime", "onnxruntime")
    assert proved["parameters"]["engine_reason"].startswith("ONNX Runtime says what scikit-learn says: ")
    assert plain["platform"] == "understudy_sklearn"
    why = "The version was packaged before proofs were made."
    assert plain["parameters"] == {"engine": "scikit-learn", "engine_reason": why}
    shown = {one["pipeline"]: one["gateway"] for one in gateway.client.get("/status").json()["pipelines"]}
    assert shown["clicks"]["engine"] == {"name": "scikit-learn", "why": why, "direct": True}
    assert shown["demand"]["engine"]["name"] == "onnxruntime"


def test_health_in_both_protocols(gateway: Gateway) -> None:
    for path in ("/ping", "/health", "/version", "/v2", "/v2/health/live", "/v2/models/demand/ready"):
        assert gateway.client.get(path).status_code == 200, path
    assert gateway.client.get("/v2/health/ready").json() == {"ready": True, "route_from": "ledger", "ledger": "up", "missing": []}


def test_feedback_is_accepted_and_logged_also_for_ids_never_seen(gateway: Gateway, shared: World) -> None:
    items = [
        {"id": "f1", "label": 12.5, "observed_at": "2026-03-01T00:00:00Z"},
        {"id": "f1", "row": 1, "reward": 0.5},
        {"id": "f2", "label": 3},
    ]
    answer = gateway.client.post("/v2/models/demand/feedback", json={"feedback": items})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 3})
    (batch,) = [one for one in shared.log("demand").read(FeedbackBatch, "feedback") if "f1" in one.request_ids]
    assert (batch.request_ids, batch.rows, batch.labels) == (["f1", "f1", "f2"], [0, 1, 0], [12.5, None, 3])
    assert batch.rewards == [None, 0.5, None]
    assert batch.observed_at[0] == epoch_us(datetime(2026, 3, 1, tzinfo=UTC))


def test_replay_sends_every_row_and_label_of_a_frame(gateway: Gateway, shared: World) -> None:
    settings = replace(shared.settings, gateway_url=gateway.url)
    coded = {"time": "at", "target": "y", "features": {"numeric": ["a"], "categorical": ["b", "kind"]}}  # a category that is a number
    known = PipelineSpec.model_validate(spec("demand", "regression", "x.y", None).model_dump(by_alias=True) | {"columns": coded})
    pipeline = Pipeline(known, Params(), shared.home, None, "", None)
    frame = rows(0.0).head(50)
    result = replay_frame(settings, pipeline, frame, rows_per_request=20)
    assert (result.requests, result.failed, result.feedback) == (3, 0, 50)
    assert result.predictions.notna().all()
    assert np.corrcoef(result.predictions, frame["y"])[0, 1] > 0.5
    times = {at for one in shared.log("demand").read(AnsweredBatch, "answers") for at in one.event_times}
    assert {epoch_us(pd.Timestamp(at).to_pydatetime()) for at in frame["event_time"]} <= times
