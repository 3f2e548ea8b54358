"""The Open Inference Protocol, version 2, over REST: all of it but inference."""

from __future__ import annotations

from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.gateway.asks import Serving
from serving.gateway.follower import Follower
from serving.gateway.http.bodies import as_json
from serving.gateway.plane import DataPlane
from serving.gateway.v2_ask import check_version
from serving.tensors import describe_tensors


class V2:
    """The protocol's answers from a data plane."""

    def __init__(self, plane: DataPlane, follower: Follower) -> None:
        self._plane, self._follower = plane, follower

    def routes(self) -> list[Route]:
        """Return the protocol's paths but the busiest, which is before the router (serving.gateway.http.infer)."""
        model = "/v2/models/{model}"
        return [
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route(model, self.model),
            Route(f"{model}/ready", self.model_ready),
            Route(f"{model}/versions/{{version}}", self.model),
            Route(f"{model}/versions/{{version}}/ready", self.model_ready),
        ]

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
        champion = serving.champion
        told = {
            "name": serving.pipeline,
            "versions": [serving.version],
            "platform": champion.platform,
            **describe_tensors(champion.manifest),
        }
        return as_json(told | {"parameters": {"engine": champion.engine.name, "engine_reason": champion.engine.why}})

    async def model_ready(self, request: Request) -> Response:
        """Say that a model can be answered."""
        serving = self._serving(request)
        return as_json({"name": serving.pipeline, "ready": True})
