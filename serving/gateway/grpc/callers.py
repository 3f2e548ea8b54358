"""Who calls over gRPC: the bearer token of the call's metadata, held against the same tokens file as over HTTP."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from serving.gateway.errors import NotAllowed, NotKnown
from serving.gateway.tokens import Caller, Scope, Tokens


class Callers:
    """Lets through who holds a token for what is asked; everybody where there is no tokens file."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens

    def check(self, context: Any, wanted: Set[Scope]) -> None:
        """Let one call through.

        Raises:
            NotKnown: it carries no token, or an unknown one.
            NotAllowed: its token has none of the scopes it needs.
        """
        if self._tokens is None:
            return
        caller = _caller(self._tokens, context)
        if caller is None:
            raise NotKnown("The call has no token that is known here.", "Send the metadata 'authorization: Bearer TOKEN'.")
        if not caller.may(frozenset(wanted)):
            needed, held = " or ".join(sorted(wanted)), ", ".join(sorted(caller.scopes))
            raise NotAllowed(f"This needs the scope {needed}; the token of '{caller.name}' has: {held}.", "Use a token that has it.")

    def name(self, context: Any) -> str | None:
        """Return the caller's name, for the log."""
        caller = None if self._tokens is None else _caller(self._tokens, context)
        return None if caller is None else caller.name


def _caller(tokens: Tokens, context: Any) -> Caller | None:
    given = dict(context.invocation_metadata() or ()).get("authorization", "")
    text = given.decode("latin-1") if isinstance(given, bytes) else str(given)
    scheme, _, token = text.partition(" ")
    return tokens.caller(token.strip().encode()) if scheme.lower() == "bearer" else None
