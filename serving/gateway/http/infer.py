"""The busiest path, POST …/infer, as a plain ASGI application before the router: nothing is built for a request that it does not need."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.binary_tensors import fill_data, take_data
from serving.columns import BadRequest, shown
from serving.gateway.asks import Answer, Ask, Serving
from serving.gateway.beside import beside
from serving.gateway.http.bodies import decode, encode, header, read_body
from serving.gateway.http.deadline import deadline_of
from serving.gateway.http.edge import mark
from serving.gateway.plane import DataPlane
from serving.gateway.v2_ask import Wanted, answer_body, check_version, read_ask, read_usual_ask

_LENGTH = b"inference-header-content-length"
_JSON, _BYTES = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")


class Infer:
    """Answers inference of the Open Inference Protocol; everything else goes on to the router."""

    def __init__(self, plane: DataPlane, router: ASGIApp) -> None:
        self._plane, self._router = plane, router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the rows of one request."""
        named = _named(scope)
        if named is None:
            await self._router(scope, receive, send)
            return
        pipeline, version = named
        mark(scope)
        if scope["method"] != "POST":
            raise HTTPException(405, headers={"Allow": "POST"})
        serving = self._plane.serving(pipeline)
        check_version(serving, version)
        mark(scope, serving.pipeline, serving.version)
        deadline = deadline_of(scope)
        body = await read_body(scope, receive, self._plane.limits.body_bytes)
        length = header(scope, _LENGTH)
        ask, wanted = await beside(len(body), lambda: _read(serving, body, length))
        ask.pinned = bool(version)
        ask.end_by(deadline)
        answer = await self._plane.answer(ask)
        mark(scope, serving.pipeline, answer.versions[0])
        headers, told = await beside(answer.predictions.size * 8, lambda: _written(answer, wanted))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})


def _named(scope: Scope) -> tuple[str, str] | None:
    """Return the model and the version, or "", that a path of inference names; None for every other path."""
    if scope["type"] != "http" or not scope["path"].endswith("/infer"):
        return None
    match scope["path"].split("/"):
        case ["", "v2", "models", model, "infer"] if model:
            return model, ""
        case ["", "v2", "models", model, "versions", version, "infer"] if model and version:
            return model, version
    return None


def _read(serving: Serving, raw: bytes, length: bytes | None) -> tuple[Ask, Wanted]:
    if length is None:
        return read_usual_ask(serving, raw) or read_ask(serving, decode(raw))
    if not length.isdigit() or int(length) > len(raw):
        raise BadRequest(f"Inference-Header-Content-Length {shown(length.decode('latin-1'))} does not fit a body of {len(raw)} bytes.")
    body = decode(memoryview(raw)[: int(length)])
    fill_data(body, memoryview(raw)[int(length) :])
    return read_ask(serving, body)


def _written(answer: Answer, wanted: Wanted) -> tuple[list[tuple[bytes, bytes]], bytes]:
    body = answer_body(answer, wanted)
    if not wanted.binary:
        told = encode(body)
        return [_JSON, (b"content-length", b"%d" % len(told))], told
    tail = take_data(body["outputs"], wanted.binary)
    head = encode(body)
    return [_BYTES, (_LENGTH, b"%d" % len(head)), (b"content-length", b"%d" % (len(head) + len(tail)))], head + tail
