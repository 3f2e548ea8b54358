"""How much and how often a sender may send: bytes of a body, seconds to send it, calls in a row."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

BODY_BYTES = 256 * 1024
BODY_SECONDS = 10.0
BURST = 200  # calls that one address may make at once: an alert storm of a hundred passes
CALLS_PER_SECOND = 20.0
UNPROVEN = 256  # bodies that are read at once although only they can prove their sender
_ADDRESSES = 1024  # addresses remembered; the one unheard of for longest is forgotten first


async def read_body(request: Request) -> bytes:
    """Return a request's body, or answer 413 where it is too large and 408 where it takes too long."""
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced[:12]) > BODY_BYTES:
        raise _too_large()
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                content += piece
                if len(content) > BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise HTTPException(408, f"The body did not come within {BODY_SECONDS:g} s.") from None
    return bytes(content)


def _too_large() -> HTTPException:
    return HTTPException(413, f"The body is larger than {BODY_BYTES} bytes.")


class CallRate:
    """Token buckets, one for each address: a sender that floods us slows down nobody else.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float], burst: int = BURST, per_second: float = CALLS_PER_SECOND) -> None:
        self._clock, self._burst, self._per_second = clock, burst, per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str) -> bool:
        """Take one token of an address, if it has one."""
        now = self._clock()
        tokens, since = self._buckets.pop(address, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - since) * self._per_second)
        allowed = tokens >= 1
        self._buckets[address] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > _ADDRESSES:
            self._buckets.popitem(last=False)
        return allowed
