"""Lets through who holds a token for what is asked; stands before the router where there is a tokens file."""

from __future__ import annotations

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.gateway.errors import NotAllowed, NotKnown
from serving.gateway.http.edge import mark
from serving.gateway.tokens import Caller, Tokens
from serving.gateway.tokens import Scope as May

# Probes come from machines that hold no token, and the two pages are empty until their script is let in.
_OPEN = frozenset({"/", "/docs", "/ping", "/health", "/v2/health/live", "/v2/health/ready"})
_METRICS = "/metrics"
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
_ANY = frozenset({May.INFER, May.FEEDBACK, May.READ})


def scopes_for(path: str) -> frozenset[May]:
    """Return the scopes of which a call needs one; what is not named here is for those who may read everything."""
    if path == "/invocations" or path.endswith("/infer"):
        return frozenset({May.INFER})
    if path.endswith("/feedback"):
        return frozenset({May.FEEDBACK})
    if path.startswith("/v2/models/"):
        return frozenset({May.INFER, May.READ})
    return _ANY if path in ("/v2", "/version") else frozenset({May.READ})


class Guard:
    """ASGI middleware around the router, within the edge that turns its errors into answers."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through.

        Raises:
            NotKnown: it carries no token, or an unknown one.
            NotAllowed: its token has none of the scopes it needs.
        """
        if scope["type"] == "http" and scope["path"] not in _OPEN and not (scope["path"] == _METRICS and _is_local(scope)):
            self._check(scope)
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        wanted = scopes_for(scope["path"])
        if wanted == {May.INFER}:
            mark(scope)  # so that refused inference is counted as such
        caller = self._caller(scope)
        scope["understudy_caller"] = caller.name
        if not caller.may(wanted):
            needed, held = " or ".join(sorted(wanted)), ", ".join(sorted(caller.scopes))
            raise NotAllowed(f"This needs the scope {needed}; the token of '{caller.name}' has: {held}.", "Use a token that has it.")

    def _caller(self, scope: Scope) -> Caller:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        if given is None:
            raise NotKnown("The call has no token.", "Send 'Authorization: Bearer TOKEN'.")
        scheme, _, token = given.partition(b" ")
        caller = self._tokens.caller(token.strip()) if scheme.lower() == b"bearer" else None
        if caller is None:
            raise NotKnown("The token is not known here.", "Send 'Authorization: Bearer TOKEN' with one that is.")
        return caller


def _is_local(scope: Scope) -> bool:
    """Whether a call comes from this machine itself, and not through a proxy on it."""
    client = scope.get("client")
    if client is None or any(name in _FORWARDED for name, _ in scope["headers"]):
        return False
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
