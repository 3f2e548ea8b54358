"""What people and Prometheus look at: the page, the status behind it, the interface's description, the metrics."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from serving.gateway.http.bodies import as_json
from serving.gateway.http.openapi import describe
from serving.gateway.plane import DataPlane
from serving.gateway.shared_metrics import Pages as MetricsPages
from serving.gateway.status import Status

_SCRAPE_SECONDS = 0.5  # a ledger that hangs must not cost the metrics that say so
_METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"
_HEADERS = {  # the pages are whole in themselves: nothing is loaded from anywhere else
    "content-security-policy": "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Pages:
    """The gateway's pages."""

    def __init__(self, plane: DataPlane, status: Status, metrics: MetricsPages) -> None:
        self._plane, self._status, self._metrics = plane, status, metrics

    def routes(self) -> list[Route]:
        """Return the pages' paths."""
        return [
            Route("/", self.page),
            Route("/status", self.status),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self.openapi),
            Route("/docs", self.docs),
        ]

    async def page(self, _request: Request) -> Response:
        """Return the page that shows who serves."""
        return _html("page.html")

    async def docs(self, _request: Request) -> Response:
        """Return the page that explains the interface."""
        return _html("docs.html")

    async def status(self, _request: Request) -> Response:
        """Return what the page shows, as JSON."""
        return as_json(await self._status.document(), headers={"cache-control": "no-store"})

    async def metrics(self, _request: Request) -> Response:
        """Return the metrics; those of the ledger are read at each scrape, and are the ones before where it does not answer at once."""
        await self._status.refresh(_SCRAPE_SECONDS)
        return Response(self._metrics.page(), media_type=_METRICS_TYPE)

    async def openapi(self, _request: Request) -> Response:
        """Return the OpenAPI description."""
        return as_json(describe({name: one.champion.manifest for name, one in self._plane.servings().items()}))


def _html(name: str) -> Response:
    return HTMLResponse(files("serving.gateway.http").joinpath(name).read_text(encoding="utf-8"), headers=_HEADERS)
