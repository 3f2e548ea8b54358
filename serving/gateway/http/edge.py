"""Around every request: errors become their status and one sentence, inference is counted, and one line may be logged."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from contracts.errors import OutsideError, UnderstudyError, UsageError
from serving.gateway.errors import NotAllowed, NotKnown, NotServed, Overloaded, TooLarge
from serving.gateway.http.bodies import as_json
from serving.gateway.metrics import Meters

_RETRY = {"retry-after": "1"}
_HEADERS = {401: {"www-authenticate": "Bearer"}, 429: _RETRY, 503: _RETRY}
CLIENT_GONE = 499
_MOST_LINES = 50  # a second
_PROBES = ("/ready", "/ping", "/health")  # "not yet", asked ten times a second, is no news


def mark(scope: Scope, pipeline: str = "", version: str = "") -> None:
    """Note that a request is an inference, and whose, so that it is counted."""
    scope["understudy"] = (pipeline, version)


class Edge:
    """ASGI middleware around the router.

    Args:
        log_all: log every request, not only those that were refused or failed. Neither payloads, queries nor headers are logged.
    """

    def __init__(self, app: ASGIApp, meters: Meters, log: FilteringBoundLogger, *, log_all: bool) -> None:
        self._app, self._meters, self._log, self._log_all = app, meters, log, log_all
        self._quiet_until, self._lines, self._unsaid = 0.0, 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in start and stop."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status: list[int] = []

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
            await send(message)

        scope["app"] = self  # the router then raises for an unknown path, and the answer is ours
        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            status.append(CLIENT_GONE)
        except Exception as error:  # the last resort: the caller gets a sentence, the log the cause
            if status:
                self._log.exception("An answer broke off", path=scope["path"])
                raise
            await self._answer_error(error, scope)(scope, receive, watched)
        # behind the answer: what the loop has to write leaves at the end of its turn
        asyncio.get_running_loop().call_soon(self._account, scope, status[0] if status else 0, time.perf_counter() - started)

    def _answer_error(self, error: Exception, scope: Scope) -> Response:
        if isinstance(error, HTTPException):
            words = {404: f"There is nothing at {scope['path'][:80]}.", 405: f"{scope['path'][:80]} does not take {scope['method']}."}
            return as_json({"error": words.get(error.status_code, str(error.detail))}, error.status_code, dict(error.headers or {}))
        if isinstance(error, UnderstudyError):
            status = status_of(error)
            return as_json({"error": str(error)}, status, _HEADERS.get(status))
        self._log.exception("A request failed", path=scope["path"])
        return as_json({"error": "The gateway failed to answer; its log has the cause."}, 500)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        marked: tuple[str, str] | None = scope.get("understudy")
        if marked is not None:
            self._meters.count_request(*marked, status, seconds)
        if self._log_all or (status >= 400 and not scope["path"].endswith(_PROBES) and self._may_say()):
            line: dict[str, Any] = {"method": scope["method"], "path": scope["path"][:200], "status": status}
            if "understudy_caller" in scope:
                line["caller"] = scope["understudy_caller"]
            self._log.info("request", **line, milliseconds=round(seconds * 1000, 2))

    def _may_say(self) -> bool:
        """Say no to more than some lines a second: under overload the refusals must not cost more than the answers."""
        now = time.monotonic()
        if now >= self._quiet_until:
            if self._unsaid:
                self._log.warning("More requests were refused or failed than are logged one by one", requests=self._unsaid)
            self._quiet_until, self._lines, self._unsaid = now + 1.0, 0, 0
        self._lines += 1
        self._unsaid += self._lines > _MOST_LINES
        return self._lines <= _MOST_LINES


def status_of(error: UnderstudyError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, NotServed):
        return 404
    if isinstance(error, TooLarge):
        return 413
    if isinstance(error, NotKnown | NotAllowed):
        return 401 if isinstance(error, NotKnown) else 403
    if isinstance(error, UsageError):
        return 400
    if isinstance(error, Overloaded):
        return 429
    return 503 if isinstance(error, OutsideError) else 500
