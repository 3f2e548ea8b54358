"""The description is true: schemathesis asks all of it, well and badly, and finds no 500 and no answer it does not tell of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import tritonclient.http as triton
from jsonschema import validate

from tests.serving.gateway.world import Gateway, World

FEW = {"max_iter": 5}
# not asked: that whatever fits the description is accepted (columns, outputs and ids are known to the model, not to a schema)
# nor that a call without a token is refused (there is no tokens file; test_tokens asks that)
LEFT_OUT = "positive_data_acceptance,ignored_auth"
# a caller that says it waits a millisecond may be told 503, as is described; no other answer of the fives will do
CONFIG = '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 503]\n'


def test_schemathesis_finds_no_failure_and_no_undocumented_answer(world: World, tmp_path: Path):
    world.route("clicks", world.make("clicks", "1", task="binary", estimator="sklearn.tree.DecisionTreeClassifier"))
    world.route("kinds", world.make("kinds", "1", task="multiclass", estimator="sklearn.tree.DecisionTreeClassifier"))
    world.route("demand", world.make("demand", "7", estimator="sklearn.ensemble.HistGradientBoostingRegressor", params=FEW))
    gateway = world.start(UNDERSTUDY_MAX_BODY_BYTES="100000")
    gateway.wait_until(lambda: len(gateway.client.get("/status").json()["pipelines"]) == 3, "serve all three")
    (config := tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [
        str(Path(sys.executable).with_name("st")), "--config-file", str(config), "run", f"{gateway.url}/openapi.json",
        "--checks", "all", "--exclude-checks", LEFT_OUT, "--max-examples", "15", "--generation-deterministic", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    operations = gateway.client.get("/openapi.json").json()["paths"]
    assert f"Tested: {len(operations)}" in done.stdout
    assert gateway.metric('understudy_requests_total{code="200",pipeline="clicks",version="1"}') > 0  # good requests were among them
    assert gateway.metric('understudy_requests_total{code="400",pipeline="clicks",version="1"}') > 0
    assert "Traceback" not in gateway.said()


def test_the_example_of_the_description_is_answered(gateway: Gateway):
    paths = gateway.client.get("/openapi.json").json()["paths"]
    told = paths["/v2/models/{model}/infer"]["post"]["parameters"]
    (model,) = (one["schema"]["example"] for one in told if one["in"] == "path")
    example = paths["/v2/models/{model}/infer"]["post"]["requestBody"]["content"]["application/json"]["schema"]["example"]
    answer = gateway.client.post(f"/v2/models/{model}/infer", json=example)
    assert (answer.status_code, answer.json()["id"]) == (200, "example")


def test_a_named_reward_and_a_binary_request_fit_the_description_and_are_taken(gateway: Gateway):
    paths = gateway.client.get("/openapi.json").json()["paths"]
    feedback, infer = (paths[f"/v2/models/{{model}}/{name}"]["post"] for name in ("feedback", "infer"))
    body = {"feedback": [{"id": "r", "reward": {"click": 1, "revenue": 2.5}}]}
    validate(body, feedback["requestBody"]["content"]["application/json"]["schema"])
    assert gateway.client.post("/v2/models/linear/feedback", json=body).status_code == 202
    assert "Retry-After" in feedback["responses"]["503"]["headers"]
    made = []
    for name, datatype, values in (("a", "FP64", np.array([0.5])), ("b", "INT64", np.array([3])), ("kind", "BYTES", np.array([b"x"]))):
        made.append(triton.InferInput(name, [1], datatype))
        made[-1].set_data_from_numpy(values, binary_data=True)
    raw, length = triton.InferenceServerClient.generate_request_body(made)
    validate(json.loads(raw[:length]), infer["requestBody"]["content"]["application/json"]["schema"])
    told = "Inference-Header-Content-Length"
    assert told in infer["requestBody"]["content"]["application/octet-stream"]["schema"]["description"]
    headers = {told: str(length), "content-type": "application/octet-stream"}
    answer = gateway.client.post("/v2/models/linear/infer", content=raw, headers=headers)
    head = json.loads(answer.content[: int(answer.headers.get(told, len(answer.content)))])
    validate(head, infer["responses"]["200"]["content"]["application/json"]["schema"])
    assert answer.status_code == 200
    validate(gateway.client.get("/status").json(), paths["/status"]["get"]["responses"]["200"]["content"]["application/json"]["schema"])
