"""V2 tensors: what is read, what is refused in which words, what is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contracts.package import Manifest
from serving.tensors import BadRequest, read_inputs, write_outputs

COLUMNS: dict[str, Any] = {"temp": "float", "hour": "int", "season": "str", "holiday": "bool"}
MODEL = Manifest(pipeline="p", task="regression", target="y", columns=COLUMNS, cutoff="2026-01-01T00:00:00Z")


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
    frame = read_inputs({"inputs": list(good().values())}, MODEL)
    assert list(frame.columns) == list(COLUMNS)
    assert frame["hour"].tolist() == [3, 4]
    assert frame["temp"].isna().tolist() == [False, True]
    assert frame["season"].isna().tolist() == [False, True]
    assert [str(one) for one in frame.dtypes] == ["float64", "int64", "str", "bool"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temp": None}, "Column 'temp' is missing."),
        ({"wind": tensor("wind", "FP64", [1.0])}, "Column 'wind' is unknown. The model takes: temp, hour, season, holiday."),
        ({"again": tensor("temp", "FP64", [1.0, 2.0])}, "Column 'temp' was sent twice."),
        ({"temp": tensor("temp", "FP64", [1.0, "x"])}, "Column 'temp', row 1: 'x' is not a float."),
        ({"temp": tensor("temp", "FP64", [True, 1.0])}, "Column 'temp', row 0: True is not a float."),
        ({"temp": tensor("temp", "FP64", [1.0, 10**400])}, "Column 'temp', row 1: the number is too large for a float."),
        ({"hour": tensor("hour", "INT64", [1, 2.5])}, "Column 'hour', row 1: 2.5 is not a int."),
        ({"hour": tensor("hour", "INT64", [None, 2])}, "Column 'hour', row 0: None is not a int."),
        ({"hour": tensor("hour", "UINT64", [1, 2**63])}, "Column 'hour', row 1: 9223372036854775808 is not a int."),
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


def test_outputs_are_prediction_or_label_and_probability():
    assert write_outputs(np.array([1.0, 2.0]), MODEL) == [{"name": "prediction", "datatype": "FP64", "shape": [2], "data": [1.0, 2.0]}]
    binary = MODEL.model_copy(update={"task": "binary", "classes": (0, 1)})
    assert write_outputs(np.array([0.2, 0.5]), binary)[0] == {"name": "label", "datatype": "INT64", "shape": [2], "data": [0, 1]}
    many = MODEL.model_copy(update={"task": "multiclass", "classes": ("a", "b")})
    label, probability = write_outputs(np.array([[0.1, 0.9]]), many)
    assert label == {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["b"]}
    assert probability["shape"] == [1, 2]
