"""How long an HTTP caller says that it waits, in the header that Envoy, and what is built on it, adds to every call."""

from __future__ import annotations

import time

from starlette.types import Scope

from serving.columns import BadRequest, shown
from serving.gateway.http.bodies import header

HEADER = "x-envoy-expected-rq-timeout-ms"
_HEADER = HEADER.encode()
_MOST_DIGITS = 12


def deadline_of(scope: Scope) -> float | None:
    """Return when the caller of a request whose head has just come waits no longer, by time.perf_counter; None where it does not say.

    Raises:
        BadRequest: the header is no whole number of milliseconds.
    """
    told = header(scope, _HEADER)
    if told is None:
        return None
    if not told.isdigit() or len(told) > _MOST_DIGITS:
        raise BadRequest(f"The header {HEADER} is {shown(told.decode('latin-1'))}, not a whole number of milliseconds.")
    return time.perf_counter() + int(told) / 1000 if int(told) else None
