"""Between the protocol's messages and the request as the REST form of the protocol has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.binary_tensors import read_values, refuse_infinite, write_values
from serving.columns import BadRequest, shown

_CONTENTS = (
    dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents")
    | dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents")
    | {"BOOL": "bool_contents", "INT64": "int64_contents", "UINT64": "uint64_contents"}
    | {"FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"}
)


def request_body(request: Any) -> dict[str, Any]:
    """Return a ModelInferRequest as the JSON of the REST protocol would say it.

    Raises:
        BadRequest: bytes, contents and datatypes do not agree; names the input.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise BadRequest(f"raw_input_contents has {len(raw)} parts but the request has {len(request.inputs)} inputs.")
    inputs = [_input(one, raw[place] if raw else None) for place, one in enumerate(request.inputs)]
    outputs = [{"name": one.name} for one in request.outputs]
    return {"id": request.id, "parameters": _parameters(request.parameters), "inputs": inputs, "outputs": outputs}


def _input(tensor: Any, raw: bytes | None) -> dict[str, Any]:
    contents = _contents(tensor) if raw is None else read_values(shown(tensor.name), tensor.datatype, memoryview(raw))
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape), "data": contents}


def _contents(tensor: Any) -> list[Any]:
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        raise BadRequest(f"Input {shown(tensor.name)}: datatype {shown(tensor.datatype)} has no contents; send it raw.")
    wrong = [one.name for one, _ in tensor.contents.ListFields() if one.name != field]
    if wrong:
        raise BadRequest(f"Input {shown(tensor.name)} is {tensor.datatype} but came in {wrong[0]}.", f"Put it into {field}.")
    values = list(getattr(tensor.contents, field))
    if tensor.datatype in ("FP32", "FP64"):
        refuse_infinite(shown(tensor.name), np.asarray(values, dtype=np.float64))
    return [_text(tensor.name, row, one) for row, one in enumerate(values)] if tensor.datatype == "BYTES" else values


def _text(name: str, row: int, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"Column {shown(name)}, row {row}: the text is not UTF-8.") from None


def _parameters(given: Any) -> dict[str, Any]:
    return {name: getattr(one, chosen) for name, one in given.items() if (chosen := one.WhichOneof("parameter_choice"))}


def fill_response(response: Any, body: dict[str, Any], *, raw: bool) -> Any:
    """Fill a ModelInferResponse from the REST form of an answer and return it.

    Args:
        raw: answer in raw bytes, as the request came, and not in typed contents.
    """
    response.model_name, response.model_version, response.id = body["model_name"], body["model_version"], body["id"]
    if "parameters" in body:
        response.parameters["versions"].string_param = ",".join(body["parameters"]["versions"])
    for one in body["outputs"]:
        tensor = response.outputs.add(name=one["name"], datatype=one["datatype"], shape=one["shape"])
        if raw:
            response.raw_output_contents.append(write_values(one["datatype"], one["data"]))
        else:
            values = [value.encode() for value in one["data"]] if one["datatype"] == "BYTES" else one["data"]
            getattr(tensor.contents, _CONTENTS[one["datatype"]]).extend(values)
    return response
