"""Binary tensor data: what tritonclient writes is read, and bytes that do not add up are refused by column."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from serving.binary_tensors import fill_data
from serving.columns import BadRequest


def sent(datatype: str, values: np.ndarray) -> tuple[Any, memoryview]:
    one = triton.InferInput("x", list(values.shape), datatype)
    one.set_data_from_numpy(values, binary_data=True)
    raw, header = triton.InferenceServerClient.generate_request_body([one])
    return json.loads(raw[:header]), memoryview(raw)[header:]


WHOLE = [f"{sign}int{size}" for sign in ("", "u") for size in (8, 16, 32, 64)]


@pytest.mark.parametrize(
    ("datatype", "values"),
    [
        ("BOOL", np.array([True, False])),
        *((kind.upper(), np.array([np.iinfo(kind).min, 0, np.iinfo(kind).max], dtype=kind)) for kind in WHOLE),
        *((f"FP{size}", np.array([0.1, -np.finfo(f"f{size // 8}").max], dtype=f"f{size // 8}")) for size in (16, 32, 64)),
        ("BYTES", np.array(["plain", "", "Łódź"], dtype=object)),
    ],
)
def test_what_tritonclient_writes_is_read_exactly(datatype: str, values: np.ndarray):
    body, raw = sent(datatype, values)
    fill_data(body, raw)
    assert body["inputs"][0]["data"] == values.tolist()


def test_nan_is_a_missing_value_and_infinity_is_refused_by_row():
    body, raw = sent("FP64", np.array([math.nan]))
    fill_data(body, raw)
    assert math.isnan(body["inputs"][0]["data"][0])
    body, raw = sent("FP32", np.array([1.0, -math.inf], dtype=np.float32))
    with pytest.raises(BadRequest, match="Column 'x', row 1 is infinite"):
        fill_data(body, raw)


@pytest.mark.parametrize(
    ("datatype", "size", "raw", "message"),
    [
        ("FP64", 9, b"123456789", "9 bytes are no whole number of FP64"),
        ("FP64", 16, b"12345678", "binary_data_size 16 does not fit the 8 bytes that came"),
        ("FP64", -1, b"", "binary_data_size -1 does not fit"),
        ("FP64", True, b"1", "binary_data_size True does not fit"),
        ("FP64", 8, b"12345678rest", "4 bytes follow the last input"),
        ("BYTES", 3, b"\1\0\0", "row 0: the length of the text is cut off"),
        ("BYTES", 5, b"\2\0\0\0a", "row 0: the text is cut off"),
        ("BYTES", 5, b"\1\0\0\0\xff", "row 0: the text is not UTF-8"),
        ("BYTES", 8, b"\xff\xff\xff\xffaaaa", "row 0: the text is cut off"),
        ("BF16", 2, b"ab", "datatype 'BF16' has no binary form here"),
        (["FP64"], 8, b"12345678", "has no binary form here"),
    ],
)
def test_bytes_that_do_not_add_up_are_refused(datatype: Any, size: Any, raw: bytes, message: str):
    body = {"inputs": [{"name": "x", "datatype": datatype, "shape": [1], "parameters": {"binary_data_size": size}}]}
    with pytest.raises(BadRequest) as caught:
        fill_data(body, memoryview(raw))
    assert message in str(caught.value)


@pytest.mark.parametrize("body", [None, [], {"inputs": 3}, {"inputs": [3, {"parameters": 3}]}])
def test_a_body_of_another_shape_is_left_to_the_reader_of_inputs(body: Any):
    before = deepcopy(body)
    fill_data(body, memoryview(b""))
    assert body == before
