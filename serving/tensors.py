"""Open Inference Protocol V2, JSON form: named input tensors become columns, predictions become output tensors."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.package import ColumnType, Manifest
from serving.columns import BadRequest, Columns, read_columns, shown

_INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_FLOATS = ("FP16", "FP32", "FP64")
_ACCEPTED: dict[ColumnType, tuple[str, ...]] = {
    "float": (*_FLOATS, *_INTEGERS),
    "int": (*_INTEGERS, *_FLOATS),  # a whole number may come as a float: dataframes turn ints with gaps into floats
    "str": ("BYTES",),
    "bool": ("BOOL",),
}
BEYOND_FP32 = 2.0**128 - 2.0**103  # what is nearer to zero is rounded to a float32
_BEYOND_FP16 = 65520.0
_BOUNDS: dict[str, tuple[float, float]] = (  # least and greatest value of a datatype
    {f"INT{size}": (-(2 ** (size - 1)), 2 ** (size - 1) - 1) for size in (8, 16, 32, 64)}
    | {f"UINT{size}": (0, 2**size - 1) for size in (8, 16, 32, 64)}
    | {name: (-math.nextafter(past, 0), math.nextafter(past, 0)) for name, past in (("FP16", _BEYOND_FP16), ("FP32", BEYOND_FP32))}
)
_INPUT_TYPES: dict[ColumnType, str] = {"float": "FP64", "int": "INT64", "str": "BYTES", "bool": "BOOL"}
_NUMBERS = (int, float)
_OUTPUT_TYPES: dict[type, str] = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}


def read_inputs(body: Any, manifest: Manifest, required: Collection[str] = ()) -> Columns:
    """Turn the `inputs` of a V2 request into the manifest's columns in its order.

    Each input is one column of shape [n] or [n, 1]; or one input of shape [n, columns], under any name, holds all columns in the
    manifest's order, row by row. A null is a missing value.

    Args:
        required: columns in which a missing value cannot be answered.

    Raises:
        BadRequest: names the column, and the row (0 is the first) where one row is at fault.
    """
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise BadRequest("The request has no 'inputs'.", "Send a list with one tensor for each column.")
    given: dict[str, list[Any]] = {}
    for place, tensor in enumerate(_split(inputs, manifest)):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            raise BadRequest(f"Input {place} has no name.")
        kind = manifest.columns.get(name)
        if kind is None:
            raise BadRequest(f"Column {shown(name)} is unknown.", f"The model takes: {', '.join(manifest.columns)}.")
        if name in given:
            raise BadRequest(f"Column '{name}' was sent twice.")
        given[name] = _data(name, kind, tensor)
    return read_columns(given, manifest.columns, required)


def _split(inputs: list[Any], manifest: Manifest) -> list[Any]:
    """Return one tensor a column where one tensor of two dimensions holds them all, everything else as it came."""
    whole, width = inputs[0], len(manifest.columns)
    shape = whole.get("shape") if isinstance(whole, dict) else None
    if len(inputs) > 1 or not (isinstance(shape, list) and len(shape) == 2 and (width > 1 or whole.get("name") not in manifest.columns)):
        return inputs
    if shape[1] != width or type(shape[0]) is not int or shape[0] < 1:
        raise BadRequest(
            f"The one input has shape {shown(shape)}.", f"Write [rows, {width}], columns in this order: {', '.join(manifest.columns)}."
        )
    data = whole.get("data")
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        data = [value for row in data for value in row] if all(len(row) == width for row in data) else None
    if not isinstance(data, list) or len(data) != shape[0] * width:
        raise BadRequest(f"The one input has shape {shown(shape)} but its 'data' does not hold {shape[0]} rows of {width} values.")
    return [
        {"name": name, "datatype": whole.get("datatype"), "shape": [shape[0]], "data": data[place::width]}
        for place, name in enumerate(manifest.columns)
    ]


def _data(name: str, kind: ColumnType, tensor: dict[str, Any]) -> list[Any]:
    datatype, shape, data = tensor.get("datatype"), tensor.get("shape"), tensor.get("data")
    if datatype not in _ACCEPTED[kind]:
        raise BadRequest(f"Column '{name}' has datatype {shown(datatype)} but takes {', '.join(_ACCEPTED[kind])}.")
    if not isinstance(data, list):
        raise BadRequest(f"Column '{name}' has no list 'data'.")
    if not data:
        raise BadRequest(f"Column '{name}' has no rows.")
    values = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data] if type(data[0]) is list else data
    rows = len(values)
    if shape not in ([rows], [rows, 1]):
        raise BadRequest(f"Column '{name}' has shape {shown(shape)} but {rows} values.", f"Write [{rows}] or [{rows}, 1].")
    if datatype in _BOUNDS:
        _hold_to(datatype, name, values)
    return values


def _hold_to(datatype: str, name: str, values: list[Any]) -> None:
    """Let a column through whose numbers its datatype can hold; what is no number is left to the column's own reading."""
    least, most = _BOUNDS[datatype]
    row = next((row for row, one in enumerate(values) if type(one) in _NUMBERS and (one > most or one < least)), None)
    if row is not None:
        raise BadRequest(f"Column '{name}', row {row}: {shown(values[row])} is beyond the datatype {datatype}.")


def choose_labels(predicted: npt.NDArray[np.float64], manifest: Manifest) -> list[Any]:
    """Return the most probable class of each row as scikit-learn's predict does: of equals the first."""
    if manifest.task == "binary":
        return [manifest.classes[chance > 0.5] for chance in predicted.tolist()]
    return [manifest.classes[one] for one in predicted.argmax(axis=1).tolist()]


def write_outputs(predicted: npt.NDArray[np.float64], manifest: Manifest, wanted: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Turn predictions into V2 output tensors, data flattened row by row.

    Regression (n,) gives `prediction`; binary (n,), the chance of the second class, and multiclass (n, k) give `probability` and `label`.

    Args:
        wanted: names of outputs; all where None.

    Raises:
        BadRequest: an output is not there.
    """
    for name in wanted or ():
        if name not in output_names(manifest):
            raise BadRequest(f"Output {shown(name)} is unknown.", f"The model gives: {', '.join(output_names(manifest))}.")
    made = []
    if manifest.task == "regression":
        made.append(_tensor("prediction", "FP64", [len(predicted)], predicted.tolist()))
    else:
        made.append(_tensor("probability", "FP64", list(predicted.shape), predicted.ravel().tolist()))
        made.append(_tensor("label", _label_type(manifest), [len(predicted)], choose_labels(predicted, manifest)))
    return made if wanted is None else [one for one in made if one["name"] in wanted]


def output_names(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of the outputs a version gives."""
    return ("prediction",) if manifest.task == "regression" else ("probability", "label")


def describe_tensors(manifest: Manifest) -> dict[str, list[dict[str, Any]]]:
    """Return `inputs` and `outputs` as V2 metadata tells them; -1 stands for any number of rows."""
    inputs = [{"name": name, "datatype": _INPUT_TYPES[kind], "shape": [-1]} for name, kind in manifest.columns.items()]
    if manifest.task == "regression":
        return {"inputs": inputs, "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [-1]}]}
    shape = [-1] if manifest.task == "binary" else [-1, len(manifest.classes)]
    probability = {"name": "probability", "datatype": "FP64", "shape": shape}
    return {"inputs": inputs, "outputs": [probability, {"name": "label", "datatype": _label_type(manifest), "shape": [-1]}]}


def _label_type(manifest: Manifest) -> str:
    return _OUTPUT_TYPES[type(manifest.classes[0])]


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
