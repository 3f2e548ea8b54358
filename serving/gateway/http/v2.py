"""The Open Inference Protocol, version 2, over REST."""

from __future__ import annotations

from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.binary_tensors import fill_data, take_data
from serving.columns import BadRequest, shown
from serving.gateway.asks import Answer, Ask, Serving
from serving.gateway.beside import beside
from serving.gateway.follower import Follower
from serving.gateway.http.bodies import as_json, decode, read_body
from serving.gateway.http.edge import mark
from serving.gateway.plane import DataPlane
from serving.gateway.v2_ask import Wanted, answer_body, check_version, read_ask
from serving.tensors import describe_tensors

_HEADER_LENGTH = "inference-header-content-length"


class V2:
    """The protocol's answers from a data plane."""

    def __init__(self, plane: DataPlane, follower: Follower) -> None:
        self._plane, self._follower = plane, follower

    def routes(self) -> list[Route]:
        """Return the protocol's paths, the busiest first."""
        model = "/v2/models/{model}"
        return [
            Route(f"{model}/infer", self.infer, methods=["POST"]),
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route(model, self.model),
            Route(f"{model}/ready", self.model_ready),
            Route(f"{model}/versions/{{version}}", self.model),
            Route(f"{model}/versions/{{version}}/ready", self.model_ready),
            Route(f"{model}/versions/{{version}}/infer", self.infer, methods=["POST"]),
        ]

    async def infer(self, request: Request) -> Response:
        """Answer the rows of a request."""
        mark(request.scope)
        serving = self._serving(request)
        mark(request.scope, serving.pipeline, serving.version)
        body = await read_body(request, self._plane.limits.body_bytes)
        header = request.headers.get(_HEADER_LENGTH)
        ask, wanted = await beside(len(body), lambda: _read(serving, body, header))
        ask.pinned = bool(request.path_params.get("version"))
        answer = await self._plane.answer(ask)
        mark(request.scope, serving.pipeline, answer.versions[0])
        return await beside(answer.predictions.size * 8, lambda: _written(answer, wanted))

    def _serving(self, request: Request) -> Serving:
        serving = self._plane.serving(request.path_params["model"])
        check_version(serving, request.path_params.get("version", ""))
        return serving

    async def server(self, _request: Request) -> Response:
        """Say what this server is."""
        return as_json({"name": "understudy", "version": version("understudy"), "extensions": ["binary_tensor_data"]})

    async def live(self, _request: Request) -> Response:
        """Say that the process answers."""
        return as_json({"live": True})

    async def ready(self, _request: Request) -> Response:
        """Say whether every pipeline that has a champion can be answered, and where the route comes from."""
        missing, route_from = self._plane.missing(), self._follower.route_from
        able = route_from is not None and not missing
        told = {"ready": able, "route_from": route_from, "ledger": "up" if self._follower.ledger_up else "down", "missing": missing}
        return as_json(told, 200 if able else 503, None if able else {"retry-after": "1"})

    async def model(self, request: Request) -> Response:
        """Describe a model's inputs and outputs."""
        serving = self._serving(request)
        described = describe_tensors(serving.champion.manifest)
        return as_json({"name": serving.pipeline, "versions": [serving.version], "platform": "understudy_sklearn", **described})

    async def model_ready(self, request: Request) -> Response:
        """Say that a model can be answered."""
        serving = self._serving(request)
        return as_json({"name": serving.pipeline, "ready": True})


def _read(serving: Serving, raw: bytes, header: str | None) -> tuple[Ask, Wanted]:
    if header is None:
        return read_ask(serving, decode(raw))
    if not (header.isascii() and header.isdigit()) or int(header) > len(raw):
        raise BadRequest(f"Inference-Header-Content-Length {shown(header)} does not fit a body of {len(raw)} bytes.")
    body = decode(memoryview(raw)[: int(header)])
    fill_data(body, memoryview(raw)[int(header) :])
    return read_ask(serving, body)


def _written(answer: Answer, wanted: Wanted) -> Response:
    body = answer_body(answer, wanted)
    tail = take_data(body["outputs"], wanted.binary)
    told = as_json(body)
    if not wanted.binary:
        return told
    headers = {_HEADER_LENGTH: str(len(told.body))}
    return Response(bytes(told.body) + tail, headers=headers, media_type="application/octet-stream")
