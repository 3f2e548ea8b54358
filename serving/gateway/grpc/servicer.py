"""The protocol's calls, answered from the data plane by the same code as over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from structlog.typing import FilteringBoundLogger

from contracts.errors import UnderstudyError, UsageError
from serving.gateway.beside import beside
from serving.gateway.errors import NotAllowed, NotKnown, NotReady, NotServed, Overloaded, TooLarge, TooLate
from serving.gateway.follower import Follower
from serving.gateway.grpc.callers import Callers
from serving.gateway.grpc.messages import fill_response, request_body
from serving.gateway.grpc.protocol import protocol
from serving.gateway.http.edge import CLIENT_GONE, status_of
from serving.gateway.metrics import Meters
from serving.gateway.plane import DataPlane
from serving.gateway.tokens import Scope
from serving.gateway.v2_ask import answer_body, check_version, read_ask
from serving.tensors import describe_tensors

_CODES = (
    (NotServed, "NOT_FOUND"),
    (NotKnown, "UNAUTHENTICATED"),
    (NotAllowed, "PERMISSION_DENIED"),
    (TooLarge, "RESOURCE_EXHAUSTED"),
    (Overloaded, "RESOURCE_EXHAUSTED"),
    (TooLate, "DEADLINE_EXCEEDED"),
    (NotReady, "UNAVAILABLE"),
    (UsageError, "INVALID_ARGUMENT"),
)


class Servicer:
    """GRPCInferenceService."""

    def __init__(self, plane: DataPlane, follower: Follower, callers: Callers, meters: Meters, log: FilteringBoundLogger) -> None:
        self._plane, self._follower, self._callers, self._meters, self._log = plane, follower, callers, meters, log
        self._messages = protocol().messages

    @property
    def ready(self) -> bool:
        """Whether every pipeline that has a champion can be answered."""
        return self._follower.route_from is not None and not self._plane.missing()

    async def ServerLive(self, _request: Any, _context: Any) -> Any:  # the protocol's name
        """Say that the process answers."""
        return self._messages.ServerLiveResponse(live=True)

    async def ServerReady(self, _request: Any, _context: Any) -> Any:  # the protocol's name
        """Say whether every pipeline that has a champion can be answered."""
        return self._messages.ServerReadyResponse(ready=self.ready)

    async def ServerMetadata(self, _request: Any, context: Any) -> Any:  # the protocol's name
        """Say what this server is."""

        async def told() -> Any:
            self._callers.check(context, {Scope.INFER, Scope.FEEDBACK, Scope.READ})
            return self._messages.ServerMetadataResponse(name="understudy", version=version("understudy"))

        return await self._guarded(context, told)

    async def ModelReady(self, request: Any, context: Any) -> Any:  # the protocol's name
        """Say whether a model can be answered."""

        async def told() -> Any:
            self._callers.check(context, {Scope.INFER, Scope.READ})
            try:
                check_version(self._plane.serving(request.name), request.version)
            except NotReady:
                return self._messages.ModelReadyResponse(ready=False)
            return self._messages.ModelReadyResponse(ready=True)

        return await self._guarded(context, told)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # the protocol's name
        """Describe a model's inputs and outputs."""

        async def told() -> Any:
            self._callers.check(context, {Scope.INFER, Scope.READ})
            serving = self._plane.serving(request.name)
            check_version(serving, request.version)
            described = describe_tensors(serving.champion.manifest)
            return self._messages.ModelMetadataResponse(
                name=serving.pipeline, versions=[serving.version], platform=serving.champion.platform, **described
            )

        return await self._guarded(context, told)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # the protocol's name
        """Answer the rows of a request."""
        started, who = time.perf_counter(), ["", ""]

        async def answered() -> Any:
            self._callers.check(context, {Scope.INFER})
            serving = self._plane.serving(request.model_name)
            who[:] = serving.pipeline, serving.version
            check_version(serving, request.model_version)
            size, left = request.ByteSize(), context.time_remaining()
            ask, wanted = await beside(size, lambda: read_ask(serving, request_body(request)))
            ask.pinned = bool(request.model_version)
            ask.end_by(None if left is None else started + left)
            answer = await self._plane.answer(ask)
            who[1] = answer.versions[0]
            raw, response = bool(request.raw_input_contents), self._messages.ModelInferResponse()
            return await beside(answer.predictions.size * 8, lambda: fill_response(response, answer_body(answer, wanted), raw=raw))

        def account(status: int) -> None:
            self._meters.count_request(who[0], who[1], status, time.perf_counter() - started)

        return await self._guarded(context, answered, account)

    async def _guarded(
        self, context: Any, call: Callable[[], Awaitable[Any]], account: Callable[[int], None] = lambda _status: None
    ) -> Any:
        """Make errors the protocol's codes with one sentence; the cause of our own failures goes to the log, never to the caller."""
        try:
            found = await call()
        except asyncio.CancelledError:  # the caller went away, or its deadline came
            account(CLIENT_GONE)
            raise
        except UnderstudyError as error:
            status, code, words = status_of(error), code_of(error), str(error)
        except Exception:  # noqa: BLE001  # the last resort: the caller gets a sentence, the log the cause
            self._log.exception("A call failed")
            status, code, words = 500, "INTERNAL", "The gateway failed to answer; its log has the cause."
        else:
            account(200)
            return found
        account(status)
        self._log.info("call", code=code, caller=self._callers.name(context))
        import grpc

        return await context.abort(grpc.StatusCode[code], words)


def code_of(error: UnderstudyError) -> str:
    """Return the name of the gRPC status of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), "UNAVAILABLE" if error.retryable else "INTERNAL")
