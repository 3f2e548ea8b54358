"""The gateway's composition root: settings in, an application out; nothing else in this package builds its own parts."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp
from structlog.typing import FilteringBoundLogger

from adapters.process_log import configure_log
from adapters.settings import Settings
from serving.gateway.follower import Follower
from serving.gateway.http.app import build_app
from serving.gateway.http.feedback import Feedback
from serving.gateway.http.pages import Pages
from serving.gateway.http.scoring import Scoring
from serving.gateway.http.v2 import V2
from serving.gateway.ledger_metrics import LedgerMetrics
from serving.gateway.limits import Limits
from serving.gateway.metrics import Meters
from serving.gateway.plane import DataPlane
from serving.gateway.reporter import Reporter
from serving.gateway.shared_metrics import Pages as MetricsPages
from serving.gateway.status import Status
from serving.gateway.tokens import Tokens
from serving.gateway.upkeep import Upkeep
from serving.gateway.workers import Place

if TYPE_CHECKING:  # compiling the protocol takes a third of a second that only those wait for who ask for gRPC
    from serving.gateway.grpc.server import GrpcServer

_ALONE = Place()
_JOIN_SECONDS, _LOOK_SECONDS = 60.0, 0.02  # a worker that has not loaded everything by then joins as it is


def build_gateway(
    settings: Settings,
    limits: Limits,
    port: int,
    *,
    log_all: bool,
    grpc_address: str | None = None,
    place: Place = _ALONE,
    leaving: Callable[[], bool] = lambda: False,
) -> ASGIApp:
    """Return the whole gateway as an ASGI application; it begins to follow the route when the server starts it.

    Args:
        grpc_address: host and port to answer gRPC on; nowhere where it is None.
        place: which of several workers on the port this process is. One of several takes no call before it can answer.
        leaving: whether the process was told to stop.

    Raises:
        UsageError: the tokens file cannot be read.
    """
    log, meters = configure_log("gateway"), Meters()
    name = place.name(f"{socket.gethostname()}:{port}")
    plane = DataPlane(settings.traffic, meters, limits, log, settings.traffic_rules)
    upkeep = Upkeep(plane.tend)
    follower = Follower(settings, plane, meters, log, swapped=lambda: reporter.now())
    reporter = Reporter(name, plane, lambda: follower.ledger, log)
    status = Status(name, plane, follower, log)
    meters.add(LedgerMetrics(status.overviews))
    metrics = MetricsPages(settings.home / "run" / f"gateway-{port}", place, meters)

    tokens = None if settings.tokens_file is None else Tokens(settings.tokens_file, log)
    calls = None if grpc_address is None else _grpc_server(plane, follower, tokens, meters, log, grpc_address, shared=place.count > 1)

    async def start() -> None:
        follower.start()
        if place.count > 1:  # until then the others on the port answer
            await _settle(follower, leaving)
        for one in (reporter, metrics, upkeep):
            one.start()
        if calls is not None:
            await calls.start()

    async def stop() -> None:
        if calls is not None:
            await calls.stop()
        for one in (follower, reporter, metrics, plane, upkeep):
            one.stop()

    parts = (V2(plane, follower), Scoring(plane), Feedback(plane), Pages(plane, status, metrics))
    return build_app([route for part in parts for route in part.routes()], plane, meters, log, start, stop, tokens, log_all=log_all)


async def _settle(follower: Follower, leaving: Callable[[], bool]) -> None:
    end = time.monotonic() + _JOIN_SECONDS
    while not (follower.settled or leaving()) and time.monotonic() < end:
        await asyncio.sleep(_LOOK_SECONDS)


def _grpc_server(
    plane: DataPlane, follower: Follower, tokens: Tokens | None, meters: Meters, log: FilteringBoundLogger, address: str, *, shared: bool
) -> GrpcServer:
    from serving.gateway.grpc.callers import Callers
    from serving.gateway.grpc.server import GrpcServer
    from serving.gateway.grpc.servicer import Servicer

    return GrpcServer(Servicer(plane, follower, Callers(tokens), meters, log), plane.limits, address, shared=shared)
