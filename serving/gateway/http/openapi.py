"""The interface described in OpenAPI 3.1."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from contracts.package import Manifest
from serving.gateway.http.deadline import HEADER
from serving.gateway.http.openapi_shapes import ANSWER, ERROR, FEEDBACK, INFER, SCORING, STATUS
from serving.tensors import describe_tensors

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
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}}
# told in words: beside a second header schemathesis takes any header it does not know for a wrong one
_BINARY = (
    "The JSON, then the bytes of the binary tensors in their order. "
    "The header Inference-Header-Content-Length says how many bytes the JSON has."
)
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary", "description": _BINARY}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _answers(good: str, content: dict[str, Any], bad: tuple[str, ...], words: str = "Answered.") -> dict[str, Any]:
    errors: dict[str, Any] = {code: {"description": _WORDS[code], "content": _json(ERROR)} for code in bad}
    for code in {"429", "503"} & errors.keys():
        errors[code]["headers"] = _RETRY
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
_HTML = {"text/html": {"schema": {"type": "string"}}}
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
    answered = _json(ANSWER) | _BYTES
    infer = _json(INFER | ({"example": _example(models[min(models)])} if models else {})) | _BYTES
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
            "Answer rows if this version is the champion", _V2, _json(INFER) | _BYTES, _answers("200", answered, _BUSY), **asks_version
        ),
        "/v2/models/{model}/feedback": _post(
            "Labels and rewards, later",
            _V2,
            _json(FEEDBACK),
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
            _json(SCORING) | {"text/csv": {"schema": {"type": "string"}}},
            _answers("200", predictions, _BUSY),
            parameters=[*in_query, _WAITS],
        ),
        "/ping": _get("Can every model be answered?", _SCORES, ("503",), _TEXT),
        "/health": _get("The same", _SCORES, ("503",), _TEXT),
        "/version": _get("Understudy's version", _SCORES, _GUARDED, _TEXT),
    }


def _pages() -> dict[str, Any]:
    return {
        "/status": _get("Who serves, who rehearses, on what evidence", _LOOKS, _GUARDED, _json(STATUS)),
        "/metrics": _get("Prometheus metrics", _LOOKS, _GUARDED, _TEXT),
        "/": _get("The page", _LOOKS, content=_HTML),
    }
