"""Request bodies within their limits, JSON in and out."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.columns import BadRequest
from serving.gateway.errors import TooLarge

_ENCODER = msgspec.json.Encoder()


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the whole body.

    Raises:
        TooLarge: it is beyond the limit; what follows is not read.
        BadRequest: it is compressed.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise BadRequest("A compressed body is not taken.", "Send it without Content-Encoding.")
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > most_bytes:
        raise TooLarge(f"The body has {told} bytes; at most {most_bytes} are taken.", "Send fewer rows at once.")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise TooLarge(f"The body has more than the {most_bytes} bytes that are taken.", "Send fewer rows at once.")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def decode(body: bytes | memoryview) -> Any:
    """Return what a JSON body says.

    Raises:
        BadRequest: it is not JSON; says where.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body cannot be read: {error}.") from None
    except RecursionError:
        raise BadRequest("The body cannot be read: it is nested too deeply.") from None


def as_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    return Response(_ENCODER.encode(content), status, headers, "application/json")
