"""Who is let in: holders of the secret, so often as they may; strangers are counted apart and take nothing from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

from contracts.errors import Refused
from webhook.limits import UNPROVEN, CallRate, read_body
from webhook.sender import check_signature, holds_token


class Door:
    """Asks who calls before anything is charged or read: the token is in the headers, a signature needs the body.

    Args:
        secret: what senders must hold.
        now: seconds since 1970.
        clock: seconds that only go forward.
    """

    def __init__(self, secret: str, now: Callable[[], float], clock: Callable[[], float]) -> None:
        self._secret, self._now = secret, now
        self._senders, self._strangers = CallRate(clock), CallRate(clock)
        self._room = asyncio.Semaphore(UNPROVEN)

    async def body(self, request: Request, too_often: int) -> bytes:
        """Return the body of a call that may come in.

        Args:
            too_often: status for who holds the secret and calls too often.

        Raises:
            Refused: the sender does not hold the secret.
            HTTPException: 429 a stranger calls too often, 503 too many signatures are waited for, 413 or 408 the body is too large or slow.
        """
        address = request.client.host if request.client else ""
        content = None
        try:
            if not holds_token(request.headers, self._secret):
                content = await self._signed(request)
        except (Refused, HTTPException):
            if not self._strangers.allows(address):
                raise HTTPException(429, "Too many calls.") from None
            raise
        if not self._senders.allows(address):
            raise HTTPException(too_often, "Too many calls.")
        return await read_body(request) if content is None else content

    async def _signed(self, request: Request) -> bytes:
        if self._room.locked():
            raise HTTPException(503, "Too many calls at once.")
        async with self._room:
            content = await read_body(request)
        check_signature(request.headers, content, self._secret, self._now())
        return content
