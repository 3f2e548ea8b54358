"""gRPC clients nobody here wrote: answered as over HTTP, refused by the protocol's codes, and told about health."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tritonclient.grpc import service_pb2

from contracts.traffic import AnsweredBatch
from tests.serving.gateway.conftest import BREAKS
from tests.serving.gateway.world import ROOT, Gateway, World

TOKEN = "a-token-long-enough"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("grpc"))
    estimator, few = "sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 5}
    world.route("clicks", world.make("clicks", "1", task="binary", estimator=estimator, params=few))
    world.route("linear", world.make("linear", "1", estimator="sklearn.linear_model.Ridge"))
    world.route("breaks", world.make("breaks", "1", code=BREAKS))
    yield world
    world.close()


@pytest.fixture(scope="module")
def beside(served: World, port: int) -> Gateway:
    return served.start(UNDERSTUDY_GRPC_PORT=str(port), UNDERSTUDY_MAX_BODY_BYTES="100000", UNDERSTUDY_MAX_ROWS="2000")


@pytest.fixture
def client(beside: Gateway, port: int) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as one:
        yield one


def inputs(**values: np.ndarray) -> list[triton.InferInput]:
    kinds = {"f": "FP64", "i": "INT64", "O": "BYTES"}
    made = [triton.InferInput(name, list(one.shape), kinds[one.dtype.kind]) for name, one in values.items()]
    for one, data in zip(made, values.values(), strict=True):
        one.set_data_from_numpy(data)
    return made


ROWS = {"a": np.array([0.5, np.nan]), "b": np.array([3, 4]), "kind": np.array(["x", "z"], dtype=object)}
WHOLE = ROWS | {"a": np.array([0.5, 1.0])}


def test_tritonclient_sees_the_server_and_its_models(client: triton.InferenceServerClient):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata().name == "understudy"
    assert client.is_model_ready("clicks")
    assert client.is_model_ready("clicks", "1")
    told = client.get_model_metadata("clicks")
    assert {one.name: (one.datatype, list(one.shape)) for one in told.inputs}["kind"] == ("BYTES", [-1])
    assert [one.name for one in told.outputs] == ["probability", "label"]


def test_tritonclient_is_answered_as_over_http_and_logged(client: triton.InferenceServerClient, beside: Gateway, served: World):
    answer = client.infer("clicks", inputs(**ROWS), request_id="over-grpc", parameters={"event_time": "2026-03-01T00:00:00Z", "unit": "u7"})
    over_http = beside.infer("clicks", {"a": [0.5, None], "b": [3, 4], "kind": ["x", "z"]}).json()["outputs"]
    assert answer.as_numpy("probability").tolist() == over_http[0]["data"]
    assert answer.as_numpy("label").tolist() == over_http[1]["data"]
    assert (answer.get_response().id, answer.get_response().model_version) == ("over-grpc", "1")
    batch = next(one for one in served.log("clicks").read(AnsweredBatch, "answers") if "over-grpc" in one.request_ids)
    assert batch.units == ["u7", "u7"]
    assert batch.event_times == [1772323200000000] * 2


def test_only_the_outputs_that_were_asked_for_come(client: triton.InferenceServerClient):
    answer = client.infer("clicks", inputs(**ROWS), outputs=[triton.InferRequestedOutput("label")])
    assert [one.name for one in answer.get_response().outputs] == ["label"]


def ask_typed(port: int, request: service_pb2.ModelInferRequest) -> service_pb2.ModelInferResponse:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=service_pb2.ModelInferRequest.SerializeToString,
            response_deserializer=service_pb2.ModelInferResponse.FromString,
        )
        return call(request)


def test_typed_contents_are_answered_in_typed_contents(client: triton.InferenceServerClient, port: int):
    request = service_pb2.ModelInferRequest(model_name="clicks")
    request.inputs.add(name="a", datatype="FP32", shape=[2, 1]).contents.fp32_contents.extend([0.5, -1.0])
    request.inputs.add(name="b", datatype="UINT8", shape=[2]).contents.uint_contents.extend([3, 4])
    request.inputs.add(name="kind", datatype="BYTES", shape=[2]).contents.bytes_contents.extend([b"x", "Łódź".encode()])
    answer = ask_typed(port, request)
    raw = client.infer("clicks", inputs(a=np.array([0.5, -1.0]), b=np.array([3, 4]), kind=np.array(["x", "Łódź"], dtype=object)))
    assert not answer.raw_output_contents
    assert list(answer.outputs[0].contents.fp64_contents) == raw.as_numpy("probability").tolist()
    assert list(answer.outputs[1].contents.int64_contents) == raw.as_numpy("label").tolist()


@pytest.mark.parametrize(("datatype", "field"), [("FP32", "fp32_contents"), ("FP64", "fp64_contents")])
def test_infinity_in_typed_contents_is_refused_as_it_is_in_bytes(
    client: triton.InferenceServerClient, port: int, datatype: str, field: str
):
    request = service_pb2.ModelInferRequest(model_name="clicks")
    getattr(request.inputs.add(name="a", datatype=datatype, shape=[2]).contents, field).extend([0.5, -math.inf])
    request.inputs.add(name="b", datatype="INT64", shape=[2]).contents.int64_contents.extend([3, 4])
    request.inputs.add(name="kind", datatype="BYTES", shape=[2]).contents.bytes_contents.extend([b"x", b"y"])
    with pytest.raises(grpc.RpcError) as typed:
        ask_typed(port, request)
    with pytest.raises(triton.InferenceServerException) as raw:
        client.infer("clicks", inputs(**(ROWS | {"a": np.array([0.5, -math.inf])})))
    assert typed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert typed.value.details() == raw.value.message() == "Column 'a', row 1 is infinite. Send a finite number, or NaN for a missing one."


@pytest.mark.parametrize(
    ("model", "changed", "version", "code", "words"),
    [
        ("nobody", {}, "", "NOT_FOUND", "There is no model 'nobody' here."),
        ("clicks", {}, "99", "NOT_FOUND", "Version '99' of 'clicks' does not answer."),
        ("clicks", {"a": np.array(["x", "y"], dtype=object)}, "", "INVALID_ARGUMENT", "Column 'a' has datatype 'BYTES'"),
        ("clicks", {"extra": np.array([1, 2])}, "", "INVALID_ARGUMENT", "Column 'extra' is unknown."),
        ("clicks", {"b": np.array([1])}, "", "INVALID_ARGUMENT", "Column 'b' has 1 rows but column 'a' has 2."),
        ("clicks", {one: np.resize(ROWS[one], 2001) for one in ROWS}, "", "RESOURCE_EXHAUSTED", "at most 2000 are taken in one"),
    ],
)
def test_what_the_caller_can_mend_is_refused_with_a_code_and_a_sentence(
    client: triton.InferenceServerClient, model: str, changed: dict[str, np.ndarray], version: str, code: str, words: str
):
    with pytest.raises(triton.InferenceServerException) as refused:
        client.infer(model, inputs(**(ROWS | changed)), model_version=version)
    assert refused.value.status() == f"StatusCode.{code}"
    assert words in refused.value.message()


def test_a_model_that_breaks_is_our_fault_and_its_cause_stays_here(client: triton.InferenceServerClient, beside: Gateway):
    with pytest.raises(triton.InferenceServerException) as failed:
        client.infer("breaks", inputs(**(ROWS | {"a": np.array([666.0, 1.0])})))
    assert failed.value.status() == "StatusCode.INTERNAL"
    assert "devil" not in failed.value.message()
    assert "the devil is in it" in beside.said()


def test_calls_are_counted_beside_those_over_http(client: triton.InferenceServerClient, beside: Gateway):
    before = beside.metric('understudy_requests_total{code="200",pipeline="linear",version="1"}')
    client.infer("linear", inputs(**WHOLE))
    assert beside.metric('understudy_requests_total{code="200",pipeline="linear",version="1"}') == before + 1


def test_reflection_names_the_protocol_and_its_messages(beside: Gateway, port: int):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        seen = ProtoReflectionDescriptorDatabase(channel)
        assert set(seen.get_services()) >= {"inference.GRPCInferenceService", "grpc.health.v1.Health"}
        mine = seen.FindFileContainingSymbol("inference.ModelInferRequest")
    theirs = service_pb2.ModelInferRequest.DESCRIPTOR.fields_by_name
    ours = {one.name: one.number for message in mine.message_type if message.name == "ModelInferRequest" for one in message.field}
    assert ours == {name: one.number for name, one in theirs.items()}  # the numbers on the wire are the protocol's


def test_the_health_service_says_serving_and_knows_no_other_service(beside: Gateway, port: int):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "inference.GRPCInferenceService"):
            assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
            assert next(iter(health.Watch(health_pb2.HealthCheckRequest(service=name)))).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as refused:
            health.Check(health_pb2.HealthCheckRequest(service="other"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_token_with_the_scope_is_asked_for_over_grpc_too(served: World, tmp_path: Path):
    tokens = tmp_path / "tokens"
    tokens.write_text(f"app infer {TOKEN}\nlabeller feedback {TOKEN}-too\n")
    port = free_port()
    served.start(UNDERSTUDY_GRPC_PORT=str(port), UNDERSTUDY_TOKENS_FILE=str(tokens))
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        assert client.is_server_ready()
        assert client.infer("linear", inputs(**WHOLE), headers={"authorization": f"Bearer {TOKEN}"}).as_numpy("prediction").shape == (2,)
        for headers, code in (({}, "UNAUTHENTICATED"), ({"authorization": f"Bearer {TOKEN}-too"}, "PERMISSION_DENIED")):
            with pytest.raises(triton.InferenceServerException) as refused:
                client.infer("linear", inputs(**WHOLE), headers=headers)
            assert refused.value.status() == f"StatusCode.{code}"
            assert TOKEN not in refused.value.message()


def test_a_port_that_is_taken_is_said_and_not_shared(beside: Gateway, port: int, served: World):
    command = [sys.executable, "-m", "serving.gateway", "--port", "0", "--grpc-port", str(port)]
    done = subprocess.run(
        command, cwd=ROOT, env={"UNDERSTUDY_HOME": str(served.home), "PATH": ""}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "for gRPC" in done.stderr
