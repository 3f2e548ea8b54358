"""Who may call: holders of the secret, as a bearer token or as a signature over timestamp and body."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from adapters.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from contracts.errors import Refused, UsageError
from webhook.cloud_event import is_binary

_SHORTEST = 16


def checked_secret(secret: str | None) -> str:
    """Return the secret, if there is one that cannot be guessed.

    Raises:
        UsageError: there is none, or it is too short; without it the receiver does not start.
    """
    if not secret:
        raise UsageError(
            "There is no webhook secret.", "Write one into webhook.secret in the home folder, or set UNDERSTUDY_WEBHOOK_SECRET_FILE."
        )
    if len(secret) < _SHORTEST:
        raise UsageError(f"The webhook secret has {len(secret)} characters.", f"Take at least {_SHORTEST}, at random.")
    return secret


def holds_token(headers: Mapping[str, str], secret: str) -> bool:
    """Say whether the sender holds the secret as a token; False where a signature is still to be checked.

    The comparison takes the same time whatever was sent.

    Raises:
        Refused: neither a token nor a signature, or a wrong token.
    """
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        right = hmac.compare_digest(token.strip().encode(), secret.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refused("The bearer token is not the receiver's secret.", "Send 'Authorization: Bearer SECRET'.")
        return True
    if SIGNATURE_HEADER not in headers:
        raise Refused("The call has no bearer token and no signature.", f"Send Authorization, or {SIGNATURE_HEADER}.")
    if is_binary(headers):  # the signature covers the body alone: whoever recorded it could put another id beside it
        raise Refused("A signature does not cover the attributes of a binary event.", "Send a structured event, or the bearer token.")
    return False


def check_signature(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> None:
    """Check a signed body, in the same time whatever was sent.

    Args:
        now: seconds since 1970.

    Raises:
        Refused: the signature is wrong or old.
    """
    verify(secret, headers.get(TIMESTAMP_HEADER, ""), headers[SIGNATURE_HEADER], body, now)
