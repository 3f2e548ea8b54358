"""The interface described in OpenAPI 3.1."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from contracts.package import Manifest
from serving.gateway.http.deadline import HEADER
from serving.tensors import describe_tensors

_ANY = {"type": ["number", "integer", "string", "boolean", "null"]}
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape", "data"],
    "properties": {
        "name": {"type": "string", "description": "The column."},
        "datatype": {
            "enum": ["BOOL", *(f"{sign}INT{size}" for sign in ("", "U") for size in (8, 16, 32, 64)), "FP16", "FP32", "FP64", "BYTES"]
        },
        "shape": {"type": "array", "items": {"type": "integer"}, "description": "[n] or [n, 1]; [n, columns] where one input holds all."},
        "data": {"type": "array", "description": "One value for each row; null is a missing value."},
    },
}
_INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": ["string", "null"], "description": "The request's id, for feedback; made where absent."},
        "parameters": {
            "type": ["object", "null"],
            "properties": {
                "event_time": {
                    "description": "When the rows happened, RFC 3339: one for all, or a list with one for each; now where absent."
                },
                "binary_data_output": {"type": "boolean", "description": "Outputs as raw bytes behind the JSON."},
                "timeout": {
                    "type": ["integer", "null"],
                    "minimum": 0,
                    "description": "Microseconds the caller waits, as Triton has it; 0 for no limit.",
                },
                "unit": {"description": "Who is assigned in an A/B stage: one for all, or a list with one for each."},
            },
        },
        "inputs": {"type": "array", "minItems": 1, "items": _TENSOR},
        "outputs": {
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "parameters": {"type": ["object", "null"], "properties": {"binary_data": {"type": "boolean"}}},
                },
            },
        },
    },
}
_ANSWER = {
    "type": "object",
    "required": ["model_name", "model_version", "id", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string", "description": "The version that answered."},
        "id": {"type": "string"},
        "outputs": {"type": "array", "items": _TENSOR},
    },
}
_SCORING = {
    "type": "object",
    "description": "Exactly one of the four forms.",
    "properties": {
        "dataframe_split": {"type": "object", "required": ["columns", "data"]},
        "dataframe_records": {"type": "array", "items": {"type": "object"}},
        "instances": {"type": "array"},
        "inputs": {"type": ["object", "array"]},
        "params": {"type": ["object", "null"]},
    },
}
_FEEDBACK_ITEM = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "description": "The request's id; unknown ones are joined later."},
        "row": {"type": "integer", "minimum": 0, "default": 0},
        "label": _ANY,
        "reward": {"type": ["number", "null"]},
        "observed_at": {"type": ["string", "null"], "format": "date-time"},
    },
}
_FEEDBACK = {
    "type": "object",
    "required": ["feedback"],
    "properties": {"feedback": {"type": "array", "minItems": 1, "items": _FEEDBACK_ITEM}},
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_WORDS = {
    "400": "The caller can mend it; names the column and the row.",
    "401": "There is a tokens file here, and the call carries no token of it.",
    "403": "The token's scopes do not cover the call.",
    "404": "There is no such model here.",
    "413": "Beyond the limit of size or rows.",
    "429": "Too many rows wait; Retry-After says when to try again.",
    "500": "The version could not answer; the gateway's log has the cause.",
    "503": "Not now; Retry-After says when to try again.",
}


_WAITS = {
    "name": HEADER,
    "in": "header",
    "description": "Milliseconds the caller waits, as Envoy sends it; beyond them 503. 0 for no limit.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 10**12 - 1},
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _answers(good: str, content: dict[str, Any], bad: tuple[str, ...], words: str = "Answered.") -> dict[str, Any]:
    errors = {code: {"description": _WORDS[code], "content": _json(_ERROR)} for code in bad}
    return {good: {"description": words, "content": content}} | errors


def _get(summary: str, tag: str, bad: tuple[str, ...] = (), content: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    shape = _json({"type": "object"}) if content is None else content
    return {"get": {"summary": summary, "tags": [tag], "responses": _answers("200", shape, bad), **more}}


def _post(summary: str, tag: str, body: dict[str, Any], responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"post": {"summary": summary, "tags": [tag], "requestBody": {"required": True, "content": body}, "responses": responses, **more}}


def _example(manifest: Manifest) -> dict[str, Any]:
    """Return a request of one row that every model of such columns can read."""
    plain: dict[str, Any] = {"FP64": 0.0, "INT64": 0, "BYTES": "", "BOOL": False}
    inputs = [{**one, "shape": [1], "data": [plain[one["datatype"]]]} for one in describe_tensors(manifest)["inputs"]]
    return {"id": "example", "inputs": inputs}


_V2, _SCORES, _LOOKS = "Open Inference Protocol V2", "MLflow scoring", "To look at"
_GUARDED = ("401", "403")
_BUSY = ("400", *_GUARDED, "404", "413", "429", "500", "503")
_TEXT = {"text/plain": {"schema": {"type": "string"}}}


def describe(models: dict[str, Manifest]) -> dict[str, Any]:
    """Return the description.

    Args:
        models: what is served now; given as the values a path may take, the first one also as an example.
    """
    name = {"type": "string", **({"enum": sorted(models), "example": min(models)} if models else {})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Understudy gateway", "version": version("understudy")},
        "paths": _v2_paths(models, name) | _scoring_paths(name) | _pages(),
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Where a tokens file is set."}}},
        "security": [{}, {"token": []}],
    }


def _v2_paths(models: dict[str, Manifest], name: dict[str, Any]) -> dict[str, Any]:
    in_path: dict[str, Any] = {"parameters": [{"name": "model", "in": "path", "required": True, "schema": name}]}
    of_version: dict[str, Any] = {
        "parameters": [*in_path["parameters"], {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}]
    }
    answered = _json(_ANSWER) | {"application/octet-stream": {"schema": {"type": "string", "description": "JSON, then binary outputs."}}}
    infer = _json(_INFER | ({"example": _example(models[min(models)])} if models else {}))
    known = (*_GUARDED, "404", "503")
    asks, asks_version = ({"parameters": [*one["parameters"], _WAITS]} for one in (in_path, of_version))
    return {
        "/v2": _get("The server", _V2, _GUARDED),
        "/v2/health/live": _get("Is the process alive?", _V2),
        "/v2/health/ready": _get("Is every champion loaded?", _V2, ("503",)),
        "/v2/models/{model}": _get("Inputs and outputs of a model", _V2, known, **in_path),
        "/v2/models/{model}/ready": _get("Can the model be answered?", _V2, known, **in_path),
        "/v2/models/{model}/infer": _post("Answer rows", _V2, infer, _answers("200", answered, _BUSY), **asks),
        "/v2/models/{model}/versions/{version}": _get("The same, of a version", _V2, known, **of_version),
        "/v2/models/{model}/versions/{version}/ready": _get("Does this version answer?", _V2, known, **of_version),
        "/v2/models/{model}/versions/{version}/infer": _post(
            "Answer rows if this version is the champion", _V2, _json(_INFER), _answers("200", answered, _BUSY), **asks_version
        ),
        "/v2/models/{model}/feedback": _post(
            "Labels and rewards, later",
            _V2,
            _json(_FEEDBACK),
            _answers("202", _json({"type": "object"}), ("400", *_GUARDED, "404", "413", "503")),
            **in_path,
        ),
    }


def _scoring_paths(name: dict[str, Any]) -> dict[str, Any]:
    in_query = [{"name": "model", "in": "query", "description": "Which one, where several are served.", "schema": name}]
    predictions = _json({"type": "object", "required": ["predictions"], "properties": {"predictions": {"type": "array"}}})
    return {
        "/invocations": _post(
            "Answer a table",
            _SCORES,
            _json(_SCORING) | {"text/csv": {"schema": {"type": "string"}}},
            _answers("200", predictions, _BUSY),
            parameters=[*in_query, _WAITS],
        ),
        "/ping": _get("Can every model be answered?", _SCORES, ("503",), _TEXT),
        "/health": _get("The same", _SCORES, ("503",), _TEXT),
        "/version": _get("Understudy's version", _SCORES, _GUARDED, _TEXT),
    }


def _pages() -> dict[str, Any]:
    return {
        "/status": _get("Who serves, who rehearses, on what evidence", _LOOKS, _GUARDED),
        "/metrics": _get("Prometheus metrics", _LOOKS, _GUARDED, _TEXT),
        "/": _get("The page", _LOOKS, content={"text/html": {"schema": {"type": "string"}}}),
    }
