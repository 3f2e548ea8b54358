"""V2's binary tensor data: values that stand as raw bytes behind the JSON of a request or an answer.

What `tritonclient` sends unless told otherwise. The header Inference-Header-Content-Length gives the length of the JSON; each input with
`parameters.binary_data_size` takes that many of the bytes that follow, in order. Numbers are little-endian; a text is its length in four
bytes, then the text.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.columns import BadRequest, shown

_NUMBERS = {f"INT{size}": f"<i{size // 8}" for size in (8, 16, 32, 64)} | {f"UINT{size}": f"<u{size // 8}" for size in (8, 16, 32, 64)}
_NUMBERS |= {f"FP{size}": f"<f{size // 8}" for size in (16, 32, 64)} | {"BOOL": "|b1"}


def fill_data(body: Any, raw: memoryview) -> None:
    """Put the values of binary inputs under their `data`, as if they had come as JSON; NaN is a missing value.

    Raises:
        BadRequest: sizes and bytes do not agree, or a value cannot be read; names the column.
    """
    inputs = body.get("inputs") if isinstance(body, dict) else None
    taken = 0
    for tensor in inputs if isinstance(inputs, list) else []:
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
        if size is None:
            continue
        name = shown(tensor.get("name"))
        if type(size) is not int or size < 0 or taken + size > len(raw):
            raise BadRequest(f"Column {name}: binary_data_size {shown(size)} does not fit the {len(raw)} bytes that came.")
        tensor["data"] = read_values(name, tensor.get("datatype"), raw[taken : taken + size])
        taken += size
    if taken != len(raw):
        raise BadRequest(f"{len(raw) - taken} bytes follow the last input.", "Give every binary input its binary_data_size.")


def read_values(name: str, datatype: Any, raw: memoryview) -> list[Any]:
    """Return the values of one tensor from its bytes.

    Args:
        name: how an error calls the tensor.

    Raises:
        BadRequest: the bytes are no values of that datatype.
    """
    if datatype == "BYTES":
        return _texts(name, raw)
    form = _NUMBERS.get(datatype) if isinstance(datatype, str) else None
    if form is None:
        raise BadRequest(f"Column {name}: datatype {shown(datatype)} has no binary form here.")
    kind = np.dtype(form)
    if len(raw) % kind.itemsize:
        raise BadRequest(f"Column {name}: {len(raw)} bytes are no whole number of {datatype}.")
    values = np.frombuffer(raw, dtype=kind)
    if kind.kind == "f":
        refuse_infinite(name, values)
    found: list[Any] = values.tolist()
    return found


def refuse_infinite(name: str, values: npt.NDArray[np.floating[Any]]) -> None:
    """Let numbers through that are finite or missing.

    Raises:
        BadRequest: one is neither; names the row.
    """
    infinite = np.isinf(values)
    if infinite.any():
        raise BadRequest(f"Column {name}, row {int(infinite.argmax())} is infinite.", "Send a finite number, or NaN for a missing one.")


def _texts(name: str, raw: memoryview) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise BadRequest(f"Column {name}, row {len(texts)}: the length of the text is cut off.")
        (length,) = struct.unpack_from("<I", raw, at)
        if at + 4 + length > len(raw):
            raise BadRequest(f"Column {name}, row {len(texts)}: the text is cut off.")
        try:
            texts.append(str(raw[at + 4 : at + 4 + length], "utf-8"))
        except UnicodeDecodeError:
            raise BadRequest(f"Column {name}, row {len(texts)}: the text is not UTF-8.") from None
        at += 4 + length
    return texts


def take_data(outputs: list[dict[str, Any]], names: Collection[str]) -> bytes:
    """Take the values of the named outputs out of their `data` and return them as the bytes that follow the JSON."""
    parts = []
    for one in outputs:
        if one["name"] in names:
            parts.append(write_values(one["datatype"], one.pop("data")))
            one["parameters"] = {"binary_data_size": len(parts[-1])}
    return b"".join(parts)


def write_values(datatype: str, values: list[Any]) -> bytes:
    """Return the bytes of one tensor, flattened row by row."""
    if datatype == "BYTES":
        texts = [one.encode() for one in values]
        return b"".join(struct.pack("<I", len(one)) + one for one in texts)
    return np.asarray(values, dtype=_NUMBERS[datatype]).tobytes()
