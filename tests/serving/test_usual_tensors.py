"""The one-step reader of usual requests: what it reads, the patient reader reads the same; what is unusual it leaves to that one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.package import Manifest
from serving.columns import BadRequest, Columns
from serving.tensors import read_inputs
from serving.usual_tensors import read_usual
from tests.serving.test_tensors import MODEL, tensor

FLOATS = Manifest(pipeline="p", task="regression", target="y", columns={"a": "float", "b": "float"}, cutoff="2026-01-01T00:00:00Z")


def usual() -> list[dict[str, Any]]:
    return [
        tensor("temp", "FP64", [1.5, 2]),
        tensor("hour", "INT64", [3, 4]),
        tensor("season", "BYTES", ["w", ""]),
        tensor("holiday", "BOOL", [True, False]),
    ]


def read(inputs: Any, model: Manifest = MODEL, **more: Any) -> Columns | None:
    found = read_usual(json.dumps({"inputs": inputs} | more).encode(), model)
    return None if found is None else found.columns


def test_columns_of_their_own_types_in_the_models_order_are_read_in_one_step():
    columns = read(usual())
    assert columns == {"temp": [1.5, 2.0], "hour": [3, 4], "season": ["w", ""], "holiday": [True, False]}
    assert list(columns) == list(MODEL.columns)
    assert [type(one[0]) for one in columns.values()] == [float, int, str, bool]
    assert type(columns["temp"][1]) is float, "a whole number in a column of floats is a float"


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_one_tensor_of_floats_holds_all_columns_row_by_row(datatype: str):
    assert read([tensor("rows", datatype, [1.0, 2.0, 3.0, 4.0], [2, 2])], FLOATS) == {"a": [1.0, 3.0], "b": [2.0, 4.0]}


def test_what_stands_beside_the_inputs_is_given_as_it_came():
    beside = {"id": "x", "parameters": {"unit": 7}, "outputs": [{"name": "label"}], "more": {"deep": [1]}}
    found = read_usual(json.dumps({"inputs": usual()} | beside).encode(), MODEL)
    assert found is not None
    assert (found.id, found.parameters, found.outputs) == ("x", {"unit": 7}, [{"name": "label"}])


def put(place: int, **changes: Any) -> list[dict[str, Any]]:
    return [one | changes if at == place else one for at, one in enumerate(usual())]


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        usual()[:3],
        [*reversed(usual())],
        [usual()[0], *usual()[:3]],
        put(0, data=[1.5, None]),
        put(0, data=[1.5]),
        put(0, data=[1.5, 2.0, 3.0]),
        put(0, data=[[1.5], [2.0]]),
        put(0, data=[1.5, "2"]),
        put(0, data=[1.5, True]),
        put(0, datatype="FP16"),
        put(0, datatype="FP32", data=[1.5, 3.41e38]),
        put(0, datatype="FP32", data=[1.5, -(10**39)]),
        put(0, datatype="INT64", data=[1, 2]),
        put(0, shape=[2, 1]),
        put(0, shape=[3]),
        put(1, data=[3, 2**63]),
        put(1, data=[3, -(2**63) - 1]),
        put(1, data=[3, 4.5]),
        put(1, data=[True, False]),
        put(1, datatype="UINT8"),
        put(2, data=["w", None]),
        put(2, data=["w"]),
        put(2, name=7),
        put(3, data=[1, 0]),
        [one | {"data": [], "shape": [0]} for one in usual()],
    ],
)
def test_anything_unusual_is_left_to_the_patient_reader(inputs: Any):
    assert read(inputs) is None


@pytest.mark.parametrize(
    ("data", "shape"), [([1.0, 2.0, 3.0], [2, 2]), ([1.0, 2.0], [1, 3]), ([], [0, 2]), ([1.0, 2.0], [2]), ([[1.0, 2.0]], [1, 2])]
)
def test_one_tensor_of_another_shape_is_left_to_the_patient_reader(data: Any, shape: Any):
    assert read([tensor("rows", "FP64", data, shape)], FLOATS) is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"inputs": 1}', b"\xff", b'{"inputs": [], "x": ' + b"[" * 100_000])
def test_what_is_no_request_is_left_to_the_patient_reader(body: bytes):
    assert read_usual(body, MODEL) is None


_cell = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
_of = {
    "FP64": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**65), 2**65),
    "INT64": st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5).map(float),
    "BYTES": st.text(max_size=5),
    "BOOL": st.booleans(),
}


@st.composite
def _requests(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw mostly usual requests, now and then with one thing that is not."""
    rows = draw(st.integers(1, 3))
    kinds = dict(zip(MODEL.columns, _of, strict=True))
    inputs = [tensor(name, kind, draw(st.lists(_of[kind], min_size=rows, max_size=rows))) for name, kind in kinds.items()]
    if draw(st.booleans()):
        one = draw(st.sampled_from(inputs))
        what = draw(st.sampled_from(["data", "datatype", "shape", "name"]))
        one[what] = draw(
            {
                "data": st.lists(_cell, min_size=rows, max_size=rows),
                "datatype": st.sampled_from([*_of, "FP32", "INT8", "FP16", "X"]),
                "shape": st.lists(st.integers(0, 3), max_size=2),
                "name": st.sampled_from([*MODEL.columns, "other"]),
            }[what]
        )
    return inputs


@given(_requests())
@settings(max_examples=500, deadline=None)
def test_both_readers_read_the_same_or_the_patient_one_decides(inputs: list[dict[str, Any]]):
    quick = read(inputs)
    try:
        patient = read_inputs(json.loads(json.dumps({"inputs": inputs})), MODEL)
    except BadRequest:
        assert quick is None, "what is refused is never answered"
        return
    if quick is not None:
        assert typed(quick) == typed(patient)


def typed(columns: Columns) -> Any:
    """Make values comparable with their types; a missing number is equal to itself, and zero has no sign."""
    return {
        name: [(type(one), "missing" if isinstance(one, float) and math.isnan(one) else one) for one in values]
        for name, values in columns.items()
    }
