"""Request bodies within their limits, JSON in and out."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from serving.columns import BadRequest
from serving.gateway.errors import TooLarge

encode = msgspec.json.Encoder().encode


async def read_body(scope: Scope, receive: Receive, most_bytes: int) -> bytes:
    """Return the whole body.

    Raises:
        TooLarge: it is beyond the limit; what follows is not read.
        BadRequest: it is compressed.
        ClientDisconnect: the caller went away before its end.
    """
    if header(scope, b"content-encoding") not in (None, b"identity"):
        raise BadRequest("A compressed body is not taken.", "Send it without Content-Encoding.")
    told = header(scope, b"content-length") or b""
    if told.isdigit() and int(told) > most_bytes:
        raise TooLarge(f"The body has {told.decode()[:40]} bytes; at most {most_bytes} are taken.", "Send fewer rows at once.")
    message = await _part(receive)
    if not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body if len(body) <= most_bytes else _refuse(most_bytes)
    parts, size = [message["body"]], len(message["body"])
    while message.get("more_body"):
        message = await _part(receive)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most_bytes:
            _refuse(most_bytes)
    return b"".join(parts)


async def _part(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


def _refuse(most_bytes: int) -> NoReturn:
    raise TooLarge(f"The body has more than the {most_bytes} bytes that are taken.", "Send fewer rows at once.")


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of a name, in lower case, or None."""
    for one, value in scope["headers"]:
        if one == name:
            found: bytes = value
            return found
    return None


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
    return Response(encode(content), status, headers, "application/json")
