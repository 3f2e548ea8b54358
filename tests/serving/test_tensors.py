"""V2 tensors: what is read, what is refused in which words, what is written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from contracts.package import Manifest
from serving.columns import BadRequest
from serving.tensors import describe_tensors, read_inputs, write_outputs

COLUMNS: dict[str, Any] = {"temp": "float", "hour": "int", "season": "str", "holiday": "bool"}
MODEL = Manifest(pipeline="p", task="regression", target="y", columns=COLUMNS, cutoff="2026-01-01T00:00:00Z")

BINARY = MODEL.model_copy(update={"task": "binary", "classes": (0, 1)})
MANY = MODEL.model_copy(update={"task": "multiclass", "classes": ("a", "b")})


def tensor(name: str, datatype: str, data: Any, shape: Any = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)] if shape is None else shape, "data": data}


def good() -> dict[str, dict[str, Any]]:
    return {
        "season": tensor("season", "BYTES", ["w", None]),
        "temp": tensor("temp", "FP32", [1.5, None]),
        "hour": tensor("hour", "UINT8", [[3], [4]], [2, 1]),
        "holiday": tensor("holiday", "BOOL", [True, False]),
    }


def test_named_tensors_become_columns_in_the_models_order_whatever_order_they_came_in():
    columns = read_inputs({"inputs": list(good().values())}, MODEL)
    assert list(columns) == list(COLUMNS)
    assert columns["hour"] == [3, 4]
    assert columns["season"] == ["w", None]
    assert columns["holiday"] == [True, False]
    assert columns["temp"][0] == 1.5
    assert math.isnan(columns["temp"][1])


NUMBERS = Manifest(pipeline="p", task="regression", target="y", columns={"a": "float", "b": "int"}, cutoff="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("data", [[[0.5, 3.0], [None, 4.0]], [0.5, 3.0, None, 4.0]])
def test_one_tensor_of_two_dimensions_holds_all_columns_row_by_row(data: list[Any]):
    columns = read_inputs({"inputs": [tensor("whatever", "FP64", data, [2, 2])]}, NUMBERS)
    assert (columns["a"][0], columns["b"]) == (0.5, [3, 4])
    assert math.isnan(columns["a"][1])


@pytest.mark.parametrize(
    ("shape", "data", "message"),
    [
        ([2, 3], [1.0] * 6, r"The one input has shape \[2, 3\]. Write \[rows, 2\], columns in this order: a, b."),
        ([2, 2], [1.0] * 3, r"its 'data' does not hold 2 rows of 2 values"),
        ([2, 2], [[1.0, 2.0], [1.0]], r"its 'data' does not hold 2 rows of 2 values"),
        ([-1, 2], [], r"The one input has shape \[-1, 2\]"),
        ([1, 2], [[1.0, 2.5]], r"Column 'b', row 0: 2.5 is not an int"),
    ],
)
def test_one_tensor_that_does_not_hold_the_columns_is_refused(shape: list[int], data: Any, message: str):
    with pytest.raises(BadRequest, match=message):
        read_inputs({"inputs": [tensor("whatever", "FP64", data, shape)]}, NUMBERS)


def test_whole_numbers_may_come_as_floats_and_gaps_as_null():
    hour = tensor("hour", "FP64", [3.0, None])
    found = read_inputs({"inputs": list((good() | {"hour": hour}).values())}, MODEL)["hour"]
    assert (found[0], type(found[0])) == (3, int)
    assert math.isnan(found[1])


BOUNDS = [(f"INT{size}", -(2 ** (size - 1)), 2 ** (size - 1) - 1) for size in (8, 16, 32, 64)]
BOUNDS += [(f"UINT{size}", 0, 2**size - 1) for size in (8, 16, 32)] + [
    ("UINT64", 0, 2**63 - 1)
]  # what an int64 cannot hold, no model takes


@pytest.mark.parametrize(("datatype", "least", "most"), BOUNDS)
def test_whole_numbers_are_held_to_their_datatypes(datatype: str, least: int, most: int):
    def read(*values: int) -> Any:
        return read_inputs({"inputs": list((good() | {"hour": tensor("hour", datatype, list(values))}).values())}, MODEL)["hour"]

    assert read(least, most) == [least, most]
    for wrong in (least - 1, most + 1):
        with pytest.raises(BadRequest, match=f"Column 'hour', row 1: {wrong} is (beyond the datatype {datatype}|not an int)."):
            read(least, wrong)


@pytest.mark.parametrize(
    ("datatype", "most", "wrong"),
    [("FP16", 65504.0, 65520.0), ("FP32", 3.4028235e38, 3.41e38), ("INT8", 127, 300), ("UINT8", 0, -1), ("INT64", 5, 2**63)],
)
def test_numbers_of_a_column_of_floats_are_held_to_their_datatypes(datatype: str, most: float, wrong: float):
    def read(*values: float | None) -> Any:
        return read_inputs({"inputs": list((good() | {"temp": tensor("temp", datatype, list(values))}).values())}, MODEL)["temp"]

    assert read(most, most) == [most, most]
    assert math.isnan(read(most, None)[1])
    with pytest.raises(BadRequest) as caught:
        read(most, wrong)
    assert str(caught.value) == f"Column 'temp', row 1: {wrong} is beyond the datatype {datatype}."
    with pytest.raises(BadRequest, match=f"Column 'a', row 1: .* is beyond the datatype {datatype}"):
        read_inputs({"inputs": [tensor("all", datatype, [most, 1, wrong, 1], [2, 2])]}, NUMBERS)


def test_a_missing_value_is_refused_where_the_model_cannot_answer_it():
    with pytest.raises(BadRequest, match="Column 'temp', row 1 is missing, and the model takes no"):
        read_inputs({"inputs": list(good().values())}, MODEL, required=("temp",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temp": None}, "Column 'temp' is missing. The model takes: temp, hour, season, holiday."),
        ({"wind": tensor("wind", "FP64", [1.0])}, "Column 'wind' is unknown. The model takes: temp, hour, season, holiday."),
        ({"again": tensor("temp", "FP64", [1.0, 2.0])}, "Column 'temp' was sent twice."),
        ({"temp": tensor("temp", "FP64", [1.0, "x"])}, "Column 'temp', row 1: 'x' is not a float."),
        ({"temp": tensor("temp", "FP64", [True, 1.0])}, "Column 'temp', row 0: True is not a float."),
        ({"temp": tensor("temp", "FP64", [1.0, 10**400])}, "Column 'temp', row 1: the number is too large for a float."),
        ({"hour": tensor("hour", "INT64", [1, 2.5])}, "Column 'hour', row 1: 2.5 is not an int."),
        ({"hour": tensor("hour", "FP64", [1.0, 1e300])}, "Column 'hour', row 1: 1e+300 is not an int."),
        (
            {"holiday": tensor("holiday", "BOOL", [None, True])},
            "Column 'holiday', row 0 is missing, and the model takes no missing value there.",
        ),
        ({"temp": tensor("temp", "FP64", [1.0, "x" * 1000])}, f"Column 'temp', row 1: '{'x' * 59}… is not a float."),
        ({"temp": tensor("temp", "FP64", [[1.0, 2.0], [3.0]])}, "Column 'temp', row 0: [1.0, 2.0] is not a float."),
        ({"hour": tensor("hour", "UINT64", [1, 2**63])}, "Column 'hour', row 1: 9223372036854775808 is not an int."),
        ({"season": tensor("season", "BYTES", ["a", 7])}, "Column 'season', row 1: 7 is not a str."),
        ({"holiday": tensor("holiday", "BOOL", [0, True])}, "Column 'holiday', row 0: 0 is not a bool."),
        ({"holiday": tensor("holiday", "INT8", [0, 1])}, "Column 'holiday' has datatype 'INT8' but takes BOOL."),
        ({"temp": tensor("temp", "FP64", [1.0, 2.0], [3])}, "Column 'temp' has shape [3] but 2 values. Write [2] or [2, 1]."),
        ({"temp": tensor("temp", "FP64", [])}, "Column 'temp' has no rows."),
        ({"temp": {"name": "temp", "datatype": "FP64", "shape": [1]}}, "Column 'temp' has no list 'data'."),
        ({"hour": tensor("hour", "INT64", [1])}, "Column 'hour' has 1 rows but column 'temp' has 2."),
        ({"x": {"datatype": "FP64"}}, "Input 4 has no name."),
    ],
)
def test_a_bad_input_is_refused_in_words_that_name_the_column_and_the_row(change: dict[str, Any], message: str):
    inputs = [one for one in {**good(), **change}.values() if one is not None]
    with pytest.raises(BadRequest) as caught:
        read_inputs({"inputs": inputs}, MODEL)
    assert str(caught.value) == message


@pytest.mark.parametrize("body", [None, [], {}, {"inputs": []}, {"inputs": {}}])
def test_a_body_without_inputs_is_refused(body: Any):
    with pytest.raises(BadRequest, match="The request has no 'inputs'"):
        read_inputs(body, MODEL)


def test_outputs_are_prediction_or_probability_and_label_with_data_flattened():
    assert write_outputs(np.array([1.0, 2.0]), MODEL) == [{"name": "prediction", "datatype": "FP64", "shape": [2], "data": [1.0, 2.0]}]
    probability, label = write_outputs(np.array([0.2, 0.5, 0.6]), BINARY)
    assert (probability["name"], probability["data"]) == ("probability", [0.2, 0.5, 0.6])
    assert label == {"name": "label", "datatype": "INT64", "shape": [3], "data": [0, 0, 1]}  # of equals the first, as scikit-learn has it
    probability, label = write_outputs(np.array([[0.1, 0.9], [0.7, 0.3]]), MANY)
    assert label == {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["b", "a"]}
    assert (probability["shape"], probability["data"]) == ([2, 2], [0.1, 0.9, 0.7, 0.3])


def test_only_the_outputs_asked_for_are_given_and_an_unknown_one_is_named():
    assert [one["name"] for one in write_outputs(np.array([0.2]), BINARY, ["label"])] == ["label"]
    with pytest.raises(BadRequest, match=r"Output 'score' is unknown\. The model gives: probability, label\."):
        write_outputs(np.array([0.2]), BINARY, ["score"])


@pytest.mark.parametrize("manifest", [MODEL, BINARY, MANY])
def test_the_metadata_tells_of_the_outputs_what_is_then_written(manifest: Manifest):
    predicted = np.zeros((2, 2)) if manifest.task == "multiclass" else np.zeros(2)
    told = [(one["name"], one["datatype"], len(one["shape"])) for one in describe_tensors(manifest)["outputs"]]
    assert told == [(one["name"], one["datatype"], len(one["shape"])) for one in write_outputs(predicted, manifest)]
    assert [one["name"] for one in describe_tensors(manifest)["inputs"]] == list(COLUMNS)
