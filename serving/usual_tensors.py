"""The usual request of the Open Inference Protocol, decoded straight into the types that the model takes.

A request whose values are of their columns' own types, none missing, columns in the model's order, needs no second look. Whatever
differs is read again, patiently, by `serving.tensors`, which also has the words for what is wrong; both read the same columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from contracts.package import ColumnType, Manifest
from serving.columns import Columns
from serving.tensors import BEYOND_FP32

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Single = Annotated[float, msgspec.Meta(gt=-BEYOND_FP32, lt=BEYOND_FP32)]


class _Tensor(msgspec.Struct, tag_field="datatype"):
    name: str
    shape: list[int]


class _Fp64(_Tensor, tag="FP64"):
    data: list[float]


class _Fp32(_Tensor, tag="FP32"):
    data: list[_Single]


class _Whole(_Tensor, tag="INT64"):
    data: list[_Int64]


class _Texts(_Tensor, tag="BYTES"):
    data: list[str]


class _Truths(_Tensor, tag="BOOL"):
    data: list[bool]


class _Request(msgspec.Struct):
    inputs: list[_Fp64 | _Fp32 | _Whole | _Texts | _Truths]
    id: Any = None
    parameters: Any = None
    outputs: Any = None


_DECODE = msgspec.json.Decoder(_Request).decode
_HOLDS: dict[type[_Tensor], ColumnType] = {_Fp64: "float", _Fp32: "float", _Whole: "int", _Texts: "str", _Truths: "bool"}


@dataclass(frozen=True, slots=True)
class UsualRequest:
    """What a usual request holds; `id`, `parameters` and `outputs` as they came."""

    columns: Columns
    id: Any
    parameters: Any
    outputs: Any


def read_usual(body: bytes, manifest: Manifest) -> UsualRequest | None:
    """Read a request, or return None where anything about it is unusual or wrong."""
    try:
        request = _DECODE(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    inputs = request.inputs
    columns = _by_column(inputs, manifest) if len(inputs) == len(manifest.columns) else _of_one(inputs, manifest)
    return None if columns is None else UsualRequest(columns, request.id, request.parameters, request.outputs)


def _by_column(inputs: list[Any], manifest: Manifest) -> Columns | None:
    columns, shape = {}, inputs[0].shape
    if shape != [len(inputs[0].data)] or not shape[0]:
        return None
    for tensor, (name, kind) in zip(inputs, manifest.columns.items(), strict=True):
        if tensor.name != name or _HOLDS[type(tensor)] != kind or tensor.shape != shape or len(tensor.data) != shape[0]:
            return None
        columns[name] = tensor.data
    return columns


def _of_one(inputs: list[Any], manifest: Manifest) -> Columns | None:
    """Split one tensor of all columns, row by row."""
    width = len(manifest.columns)
    if len(inputs) != 1 or len(inputs[0].shape) != 2:
        return None
    (rows, wide), data, kind = inputs[0].shape, inputs[0].data, _HOLDS[type(inputs[0])]
    if wide != width or rows < 1 or len(data) != rows * width or any(one != kind for one in manifest.columns.values()):
        return None
    return {name: data[place::width] for place, name in enumerate(manifest.columns)}
