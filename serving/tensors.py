"""Open Inference Protocol V2, JSON form: named input tensors become a table, predictions become output tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.errors import UsageError
from contracts.package import ColumnType, Manifest

_INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_ACCEPTED: dict[ColumnType, tuple[str, ...]] = {
    "float": ("FP32", "FP64", *_INTEGERS),
    "int": _INTEGERS,
    "str": ("BYTES",),
    "bool": ("BOOL",),
}
_PANDAS: dict[ColumnType, str] = {"float": "float64", "int": "int64", "str": "str", "bool": "bool"}
_OUTPUT_TYPES = ((bool, "BOOL"), (int, "INT64"), (float, "FP64"), (str, "BYTES"))


class BadRequest(UsageError):
    """What the caller sent cannot be read; the message names the column and the row."""


def read_inputs(body: Any, manifest: Manifest) -> pd.DataFrame:
    """Turn the `inputs` of a V2 request into a table with the manifest's columns in its order.

    Each input is one column of shape [n] or [n, 1]. A null is a missing value in a float or str column.

    Raises:
        BadRequest: names the column, and the row (0 is the first) where one row is at fault.
    """
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise BadRequest("The request has no 'inputs'.", "Send a list with one tensor for each column.")
    named: dict[str, dict[str, Any]] = {}
    for place, tensor in enumerate(inputs):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            raise BadRequest(f"Input {place} has no name.")
        if name in named:
            raise BadRequest(f"Column '{name}' was sent twice.")
        named[name] = tensor
    for name in named:
        if name not in manifest.columns:
            raise BadRequest(f"Column '{name}' is unknown.", f"The model takes: {', '.join(manifest.columns)}.")
    columns = {}
    for name, kind in manifest.columns.items():
        if name not in named:
            raise BadRequest(f"Column '{name}' is missing.")
        columns[name] = _read_column(name, kind, named[name])
    lengths = {name: len(values) for name, values in columns.items()}
    first = next(iter(lengths))
    for name, length in lengths.items():
        if length != lengths[first]:
            raise BadRequest(f"Column '{name}' has {length} rows but column '{first}' has {lengths[first]}.")
    return pd.DataFrame({name: pd.Series(values, dtype=_PANDAS[manifest.columns[name]]) for name, values in columns.items()})


def _read_column(name: str, kind: ColumnType, tensor: dict[str, Any]) -> list[Any]:
    datatype, shape, data = tensor.get("datatype"), tensor.get("shape"), tensor.get("data")
    if datatype not in _ACCEPTED[kind]:
        raise BadRequest(f"Column '{name}' has datatype {datatype!r} but takes {', '.join(_ACCEPTED[kind])}.")
    if not isinstance(data, list):
        raise BadRequest(f"Column '{name}' has no list 'data'.")
    values = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data]
    if shape not in ([len(values)], [len(values), 1]):
        raise BadRequest(f"Column '{name}' has shape {shape!r} but {len(values)} values.", f"Write [{len(values)}] or [{len(values)}, 1].")
    if not values:
        raise BadRequest(f"Column '{name}' has no rows.")
    return [_read_value(name, row, kind, value) for row, value in enumerate(values)]


def _read_value(name: str, row: int, kind: ColumnType, value: Any) -> Any:
    if value is None and kind in ("float", "str"):
        return float("nan") if kind == "float" else None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {
        "float": number,
        "int": number and isinstance(value, int) and -(2**63) <= value < 2**63,
        "str": isinstance(value, str),
        "bool": isinstance(value, bool),
    }[kind]
    if not fits:
        raise BadRequest(f"Column '{name}', row {row}: {value!r} is not a {kind}.")
    if kind != "float":
        return value
    try:
        return float(value)
    except OverflowError:
        raise BadRequest(f"Column '{name}', row {row}: the number is too large for a float.") from None


def write_outputs(predicted: npt.NDArray[np.float64], manifest: Manifest) -> list[dict[str, Any]]:
    """Turn predictions into V2 output tensors.

    Regression (n,) gives `prediction`; binary (n,) and multiclass (n, k) give `label` and `probability`.
    """
    rows = len(predicted)
    if manifest.task == "regression":
        return [{"name": "prediction", "datatype": "FP64", "shape": [rows], "data": predicted.tolist()}]
    chosen = (predicted >= 0.5).astype(int) if manifest.task == "binary" else predicted.argmax(axis=1)
    labels = [manifest.classes[int(one)] for one in chosen]
    datatype = next(name for kind, name in _OUTPUT_TYPES if isinstance(manifest.classes[0], kind))
    return [
        {"name": "label", "datatype": datatype, "shape": [rows], "data": labels},
        {"name": "probability", "datatype": "FP64", "shape": list(predicted.shape), "data": predicted.tolist()},
    ]
