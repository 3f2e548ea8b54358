"""Signs and checks what goes over HTTP to the webhook receiver: HMAC-SHA256 over timestamp and body."""

from __future__ import annotations

import hashlib
import hmac

from contracts.errors import Refused

TIMESTAMP_HEADER = "X-Understudy-Timestamp"
SIGNATURE_HEADER = "X-Understudy-Signature"
WINDOW_SECONDS = 300  # a signature older or newer than this is not accepted: who recorded it cannot use it for long


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Return the signature header's value, `sha256=<hex>`.

    Args:
        timestamp: seconds since 1970, as the timestamp header carries them.

    >>> sign("s3cret", 1700000000, b"{}")[:14]
    'sha256=9792681'
    """
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def signed_headers(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the two headers that prove a body."""
    return {TIMESTAMP_HEADER: str(timestamp), SIGNATURE_HEADER: sign(secret, timestamp, body)}


def verify(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> None:
    """Check a signature in constant time, then that it is fresh.

    Args:
        timestamp, signature: the headers as they came.
        now: seconds since 1970.

    Raises:
        Refused: the signature is not ours, or its timestamp is further than the window from now.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise Refused(f"The header {TIMESTAMP_HEADER} is no whole number of seconds since 1970.", "Send the time of the signature.")
    if not hmac.compare_digest(sign(secret, int(timestamp), body).encode(), signature.encode()):
        raise Refused("The signature does not fit the body.", "Sign '<timestamp>.<body>' with the receiver's secret.")
    if abs(now - int(timestamp)) > WINDOW_SECONDS:
        raise Refused(f"The signature is more than {WINDOW_SECONDS} s old, or from the future.", "Sign again; check both clocks.")
