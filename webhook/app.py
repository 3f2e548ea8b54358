"""The receiver over HTTP: `POST /hooks/alertmanager`, `POST /hooks/event`, `GET /health`, `GET /ready`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from structlog.typing import FilteringBoundLogger

from contracts.errors import Refused
from webhook.alertmanager import read_notification
from webhook.asked import Asked, BadNotification
from webhook.audit import Audit
from webhook.cloud_event import read_event
from webhook.door import Door
from webhook.receiver import Answer, Receiver

RETRY_SECONDS = 30
WAIT_SECONDS = 20.0  # how long a call waits for another one about the same pipeline
_HOOKS = ("/hooks/alertmanager", "/hooks/event")
_JSON = ("application/json", "application/cloudevents+json")


class Hooks:
    """The endpoints; one call at a time for each pipeline, so that no two can start a run within one cool-down.

    Args:
        secret: what senders must hold.
        now: seconds since 1970.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        receiver: Receiver,
        secret: str,
        log: FilteringBoundLogger,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receiver, self._log = receiver, log
        self._door, self._audit = Door(secret, now, clock), Audit(receiver.keep, log, clock)
        self._turns: dict[str, asyncio.Lock] = {}
        self._readiness: asyncio.Future[bool] | None = None

    @asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        """Count refusals and tell how many there were, until the receiver stops."""
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._audit.tell_until(stopped))
            yield
            stopped.set()

    async def alertmanager(self, request: Request) -> Response:
        """Take a notification; the worst that happened to one of its alerts decides whether it is sent again."""
        answers = [await self._answer(asked, "alertmanager") for asked in read_notification(await self._content(request))]
        status = min((one.status for one in answers), key=(503, 202, 200, 404).index)
        first = next(one for one in answers if one.status == status)
        return _respond(first, {"alerts": [one.as_json() for one in answers]})

    async def event(self, request: Request) -> Response:
        """Take a CloudEvent."""
        return _respond(await self._answer(read_event(await self._content(request), request.headers), "event"), {})

    async def health(self, _request: Request) -> Response:
        """Say that the process answers."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """Say whether an alert that came now could become a run."""
        if self._readiness is None or self._readiness.done():  # who asks meanwhile hears the same: a crowd takes one thread
            self._readiness = asyncio.ensure_future(run_in_threadpool(self._receiver.is_ready))
        if await asyncio.shield(self._readiness):
            return JSONResponse({"status": "ready"})
        return _error(503, "Prefect does not answer.")

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer a call that was refused, keep it in the ledger, and say no more than the sender needs."""
        status, words = _status_of(error)
        self._log.info("refused", path=request.url.path[:100], status=status, error=words)
        if request.url.path in _HOOKS:
            await self._audit.refused(request.url.path.removeprefix("/hooks/"), status, words)
        return _error(status, words)

    async def _content(self, request: Request) -> bytes:
        content = await self._door.body(request, 503 if request.url.path == _HOOKS[0] else 429)  # Alertmanager comes back after a 5xx only
        kind = request.headers.get("content-type", _JSON[0]).partition(";")[0].strip().lower()
        if kind not in _JSON:
            raise HTTPException(415, f"Send {' or '.join(_JSON)}.")
        return content

    async def _answer(self, asked: Asked, kind: str) -> Answer:
        known = self._receiver.knows(asked.pipeline)
        turn = self._turns.setdefault(asked.pipeline, asyncio.Lock()) if known else asyncio.Lock()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn.acquire()
        except TimeoutError:
            answer = Answer(503, asked.pipeline, "Earlier calls about this pipeline have not been answered yet.")
            await self._audit.keep(kind, answer.status, answer.reason, asked)  # only a pipeline that is known has turns
            return answer
        try:
            answer = await run_in_threadpool(self._receiver.answer, asked, kind)
        finally:
            turn.release()
        if not answer.kept:
            self._audit.count(answer.status)
        run = answer.run.id if answer.run else None
        self._log.info("answered", kind=kind, pipeline=answer.pipeline, status=answer.status, reason=answer.reason, flow_run=run)
        return answer


def make_app(hooks: Hooks) -> Starlette:
    """Return the ASGI application."""
    routes = [
        Route(_HOOKS[0], hooks.alertmanager, methods=["POST"]),
        Route(_HOOKS[1], hooks.event, methods=["POST"]),
        Route("/health", hooks.health),
        Route("/ready", hooks.ready),
    ]
    handlers = dict.fromkeys((HTTPException, Refused, BadNotification, Exception), hooks.failed)
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=hooks.running)
    app.router.redirect_slashes = False
    return app


def _respond(answer: Answer, more: dict[str, object]) -> Response:
    if answer.status in (404, 503):
        return _error(answer.status, answer.reason, more)
    return JSONResponse(answer.as_json() | more, answer.status)


def _error(status: int, words: str, more: dict[str, object] | None = None) -> Response:
    headers = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse({"error": words} | (more or {}), status, headers)


def _status_of(error: Exception) -> tuple[int, str]:
    match error:
        case HTTPException():
            return error.status_code, error.detail
        case Refused():
            return 401, str(error)
        case BadNotification():
            return 400, str(error)
        case _:
            return 500, "Something broke here; see the receiver's log."
