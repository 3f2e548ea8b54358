"""The Open Inference Protocol, version 2, over REST."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.binary_tensors import fill_data
from serving.columns import BadRequest, shown
from serving.gateway.asks import Answer, Ask, Serving, make_ask
from serving.gateway.follower import Follower
from serving.gateway.http.bodies import as_json, beside, decode, read_body
from serving.gateway.http.edge import mark
from serving.gateway.plane import DataPlane
from serving.tensors import describe_tensors, output_names, read_inputs, write_outputs

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
        ]

    async def infer(self, request: Request) -> Response:
        """Answer the rows of a request."""
        mark(request.scope)
        serving = self._plane.serving(request.path_params["model"])
        mark(request.scope, serving.pipeline, serving.version)
        body = await read_body(request, self._plane.limits.body_bytes)
        header = request.headers.get(_HEADER_LENGTH)
        ask, wanted = await beside(len(body), lambda: _read(serving, body, header))
        answer = await self._plane.answer(ask)
        mark(request.scope, serving.pipeline, answer.serving.version)
        return await beside(answer.predictions.size * 8, lambda: _written(answer, wanted))

    async def server(self, _request: Request) -> Response:
        """Say what this server is."""
        return as_json({"name": "understudy", "version": version("understudy"), "extensions": []})

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
        serving = self._plane.serving(request.path_params["model"])
        described = describe_tensors(serving.champion.manifest)
        return as_json({"name": serving.pipeline, "versions": [serving.version], "platform": "understudy_sklearn", **described})

    async def model_ready(self, request: Request) -> Response:
        """Say that a model can be answered."""
        serving = self._plane.serving(request.path_params["model"])
        return as_json({"name": serving.pipeline, "ready": True})


def _read(serving: Serving, raw: bytes, header: str | None) -> tuple[Ask, list[str] | None]:
    if header is None:
        body = decode(raw)
    else:
        if not header.isdigit() or int(header) > len(raw):
            raise BadRequest(f"Inference-Header-Content-Length {shown(header)} does not fit a body of {len(raw)} bytes.")
        body = decode(memoryview(raw)[: int(header)])
        fill_data(body, memoryview(raw)[int(header) :])
    columns = read_inputs(body, serving.champion.manifest, serving.champion.required)
    return make_ask(serving, columns, body.get("id"), body.get("parameters")), _wanted(body.get("outputs"), serving)


def _wanted(outputs: Any, serving: Serving) -> list[str] | None:
    if not outputs:
        return None
    names = [one.get("name") if isinstance(one, dict) else None for one in outputs] if isinstance(outputs, list) else [None]
    known = output_names(serving.champion.manifest)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadRequest(f"Output {shown(unknown[0])} is unknown.", f"The model gives: {', '.join(known)}.")
    return [str(name) for name in names]


def _written(answer: Answer, wanted: list[str] | None) -> Response:
    serving = answer.serving
    outputs = write_outputs(answer.predictions, serving.champion.manifest, wanted)
    return as_json({"model_name": serving.pipeline, "model_version": serving.version, "id": answer.request_id, "outputs": outputs})
