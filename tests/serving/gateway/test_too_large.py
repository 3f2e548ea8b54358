"""A number that is too large for the champion is its caller's to mend, whichever way it came, and is held against no version."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http

from contracts.traffic import AnsweredBatch, FailedBatch
from rollout.split import assign
from tests.serving.gateway.world import Gateway, World, tensors

FAR = {"a": [0.5, 1e300], "b": [3, 4], "kind": ["x", "y"]}
WORDS = "Column 'a', row 1: 1e+300 is too large a number for the model."
FEW = {"n_estimators": 3}
TABLE = [[0.5, 3, "x"], [1e300, 4, "y"]]
RECORDS = [dict(zip(FAR, row, strict=True)) for row in TABLE]
FORMS: list[dict[str, Any]] = [
    {"json": {"dataframe_split": {"columns": list(FAR), "data": TABLE}}},
    {"json": {"dataframe_records": RECORDS}},
    {"json": {"instances": TABLE}},
    {"json": {"inputs": FAR}},
    {"content": "a,b,kind\n0.5,3,x\n1e300,4,y\n", "headers": {"content-type": "text/csv"}},
]


@pytest.fixture(scope="module", params=[False, True], ids=["scikit-learn", "onnxruntime"])
def forest(request: pytest.FixtureRequest, gateway: Gateway, shared: World) -> str:
    name = f"forest{int(request.param)}"
    made = shared.make(name, "1", estimator="sklearn.ensemble.RandomForestRegressor", params=FEW, proved=request.param)
    shared.route(name, made)
    gateway.wait_until(lambda: gateway.version(name) == "1", "serve it")
    return name


def failures(gateway: Gateway, world: World, pipeline: str) -> tuple[float, list[FailedBatch]]:
    counted = gateway.metric(f'understudy_failed_requests_total{{pipeline="{pipeline}"')
    return counted, list(world.log(pipeline).read(FailedBatch, "failures"))


def triton(client: Any) -> list[Any]:
    kinds = {"a": ("FP64", np.float64), "b": ("INT64", np.int64), "kind": ("BYTES", object)}
    made = []
    for name, (datatype, kind) in kinds.items():
        one = client.InferInput(name, [2], datatype)
        one.set_data_from_numpy(np.array(FAR[name], dtype=kind))
        made.append(one)
    return made


def test_every_way_in_refuses_it_by_column_and_row(gateway: Gateway, shared: World, forest: str) -> None:
    def infer(inputs: list[dict[str, Any]]) -> httpx.Response:
        return gateway.client.post(f"/v2/models/{forest}/infer", json={"inputs": inputs})

    answers = [infer(tensors(FAR)), infer(tensors(FAR)[::-1])]  # usual, and read patiently
    answers += [gateway.client.post(f"/invocations?model={forest}", **form) for form in FORMS]
    assert [(one.status_code, one.json()) for one in answers] == [(400, {"error": WORDS})] * 7
    with over_http.InferenceServerClient(f"127.0.0.1:{gateway.port}") as client, pytest.raises(Exception, match=re.escape(WORDS)):
        client.infer(forest, triton(over_http))
    with (
        over_grpc.InferenceServerClient(f"127.0.0.1:{gateway.grpc_port}") as client,
        pytest.raises(over_grpc.InferenceServerException) as refused,
    ):
        client.infer(forest, triton(over_grpc))
    assert (refused.value.status(), refused.value.message()) == ("StatusCode.INVALID_ARGUMENT", WORDS)
    assert failures(gateway, shared, forest) == (0, [])


def test_whoever_is_in_the_same_micro_batch_is_answered(gateway: Gateway, shared: World, forest: str) -> None:
    ask = [FAR | {"a": [0.5, 1e300 if number % 3 == 0 else 0.7]} for number in range(24)]
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda columns: gateway.infer(forest, columns), ask))
    assert [one.status_code for one in answers] == [400 if number % 3 == 0 else 200 for number in range(24)]
    assert failures(gateway, shared, forest) == (0, [])


def test_what_both_arms_refuse_is_held_against_neither_and_what_only_the_exposed_one_refuses_against_it(
    gateway: Gateway, shared: World
) -> None:
    boosting, trees = "sklearn.ensemble.HistGradientBoostingRegressor", "sklearn.ensemble.RandomForestRegressor"
    for name, champion in (("refusedbyboth", trees), ("refusedbyone", boosting)):
        params = FEW if champion == trees else {"max_iter": 3}
        first = shared.make(name, "1", estimator=champion, params=params)
        epoch = shared.route(name, first, exposed=shared.make(name, "2", estimator=trees, params=FEW))
        start = f'understudy_route_share{{arm="candidate",pipeline="{name}"'
        gateway.wait_until(lambda start=start: gateway.metric(start) == 0.5, "expose it")  # type: ignore[misc]  # a default binds it
        units = [next(unit for unit in map(str, range(99)) if assign(f"{name}/{epoch}", unit, (0.5, 0.5)) == arm) for arm in (0, 1)]
        answer = gateway.infer(name, FAR, id="far", parameters={"unit": units})
        failovers = gateway.metric(f'understudy_failovers_total{{pipeline="{name}",version="2"}}')
        if name == "refusedbyboth":
            assert (answer.status_code, answer.json()) == (400, {"error": WORDS})
            assert (failovers, failures(gateway, shared, name)) == (0, (0, []))
        else:
            assert answer.status_code == 200
            (failed,) = failures(gateway, shared, name)[1]
            assert (failed.version, failed.request_ids, failovers) == ("2", ["far"], 1)
            logged = [one for batch in shared.log(name).read(AnsweredBatch, "answers") for one in batch.request_ids]
            assert logged.count("far") == 2
