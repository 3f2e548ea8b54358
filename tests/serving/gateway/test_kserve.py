"""KServe's Python client, in an environment of its own: sees the server, is answered as a plain request is, raises its own errors."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import environments
from tests.serving.gateway.world import Gateway

SCRIPT = Path(environments.__file__).with_name("ask_kserve.py")
COLUMNS = {"a": [0.5, -1.25, 3.0], "b": [3, 4, 8], "kind": ["x", "y", "Łódź"]}
WHOLE = {"a": ["FP64", [3], COLUMNS["a"]], "b": ["INT64", [3], COLUMNS["b"]], "kind": ["BYTES", [3], COLUMNS["kind"]]}
ONE_ROW = {"a": ["FP32", [1, 1], [0.5]], "b": ["INT16", [1], [3]], "kind": ["BYTES", [1, 1], ["x"]]}
FORMS = {
    "one row in text": [ONE_ROW, False],
    "one row in binary": [ONE_ROW, True],
    "three rows in text": [WHOLE, False],
    "three rows in binary": [WHOLE, True],
}
LABEL = {"text": [WHOLE, False, {"label": False}], "binary": [WHOLE, True, {"label": True}]}


pytestmark = pytest.mark.slow  # an environment of its own is built; tritonclient guards the same protocol in every run


@pytest.fixture(scope="module")
def python() -> Path:
    """Return the Python that has KServe's client; without a package index, and not built before, the tests are skipped."""
    try:
        return environments.environment("kserve")
    except subprocess.CalledProcessError:
        if environments.index_answers():
            raise  # the list is wrong, which is not the network's fault
        pytest.skip("PyPI cannot be reached, and KServe's client is not installed yet (benchmarks/peers/kserve.txt)")


@pytest.fixture(scope="module")
def seen(python: Path, gateway: Gateway) -> dict[str, Any]:
    """Return what the client saw over each protocol; it is started once, for it needs seconds to be imported."""
    refused = [WHOLE | {"extra": ["INT64", [3], [1, 2, 3]]}, False]
    addresses = {"rest": gateway.url, "grpc": f"127.0.0.1:{gateway.grpc_port}"}
    task = json.dumps(addresses | {"model": "clicks", "asked": FORMS | LABEL, "refused": refused})
    known = environments.quiet() | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run([python, SCRIPT], input=task, env=known, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize(("protocol", "unknown"), [("rest", False), ("grpc", "NOT_FOUND")])
def test_kserves_client_sees_the_server_and_its_models(seen: dict[str, Any], protocol: str, unknown: bool | str) -> None:
    one = seen[protocol]
    assert (one["live"], one["ready"], one["model_ready"]) == (True, True, [True, unknown])
    assert (one["metadata"]["name"], one["metadata"]["versions"]) == ("clicks", ["1"])
    assert {tensor["name"]: tensor["datatype"] for tensor in one["metadata"]["inputs"]} == {"a": "FP64", "b": "INT64", "kind": "BYTES"}
    assert {tensor["name"]: tensor["datatype"] for tensor in one["metadata"]["outputs"]} == {"probability": "FP64", "label": "INT64"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_kserves_client_is_answered_as_a_plain_request_is(seen: dict[str, Any], gateway: Gateway, protocol: str, form: str) -> None:
    rows = len(FORMS[form][0]["kind"][2])
    plain = gateway.infer("clicks", {name: values[:rows] for name, values in COLUMNS.items()}).json()["outputs"]
    answer = seen[protocol]["answers"][form]
    version = {"rest": None, "grpc": "1"}[protocol]  # KServe 0.21 reads no version off an answer over REST
    assert (answer["id"], answer["model"], answer["version"]) == ("by-kserve", "clicks", version)
    assert answer["outputs"] == {one["name"]: [one["datatype"], one["shape"], one["data"]] for one in plain}
    chances, labels = (answer["outputs"][name][2] for name in ("probability", "label"))
    assert len(chances) == rows
    assert labels == [int(chance > 0.5) for chance in chances]


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_kserves_client_gets_only_the_output_it_asked_for(seen: dict[str, Any], gateway: Gateway, protocol: str) -> None:
    label = gateway.infer("clicks", COLUMNS, outputs=[{"name": "label"}]).json()["outputs"][0]["data"]
    for form in LABEL:
        assert seen[protocol]["answers"][form]["outputs"] == {"label": ["INT64", [3], label]}


@pytest.mark.parametrize(("protocol", "code"), [("rest", 400), ("grpc", "INVALID_ARGUMENT")])
def test_what_is_refused_is_an_error_of_the_clients_own_with_our_sentence(seen: dict[str, Any], protocol: str, code: int | str) -> None:
    given, sentence = seen[protocol]["refused"]
    assert given == code
    assert "Column 'extra' is unknown." in sentence
