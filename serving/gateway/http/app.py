"""Puts the edge together: routes, errors, start and stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp
from structlog.typing import FilteringBoundLogger

from serving.gateway.http.edge import Edge
from serving.gateway.http.guard import Guard
from serving.gateway.http.infer import Infer
from serving.gateway.metrics import Meters
from serving.gateway.plane import DataPlane
from serving.gateway.tokens import Tokens


def build_app(
    routes: list[BaseRoute],
    plane: DataPlane,
    meters: Meters,
    log: FilteringBoundLogger,
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
    tokens: Tokens | None,
    *,
    log_all: bool,
) -> ASGIApp:
    """Return the ASGI application.

    Args:
        plane: answers inference, which comes before the routes.
        start, stop: called when the server starts and has answered its last request.
        tokens: who may call; everybody may where it is None.
        log_all: log every request, not only refused and failed ones.
    """
    router = Infer(plane, Router(routes, redirect_slashes=False, lifespan=_lifespan(start, stop)))
    return Edge(router if tokens is None else Guard(router, tokens), meters, log, log_all=log_all)


def _lifespan(
    start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        await start()
        yield
        await stop()

    return lifespan
