"""A signature holds for one body, one secret and five minutes; anything else is refused with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.webhook_signature import WINDOW_SECONDS, sign, signed_headers, verify
from contracts.errors import Refused

NOW = 1_700_000_000


def test_the_signature_is_the_one_that_openssl_computes() -> None:
    # printf '1700000000.{"a": 1}' | openssl dgst -sha256 -hmac s3cret
    assert sign("s3cret", NOW, b'{"a": 1}') == "sha256=82fc0b8ba35d4f5b38af534e00d41a2de7d21fa3bae904bd50a8f0c3a7afb835"


def refusal(secret: str, timestamp: str, signature: str, body: bytes, now: float) -> str | None:
    """Return why a signature is refused; None where it is accepted."""
    try:
        verify(secret, timestamp, signature, body, now)
    except Refused as error:
        return str(error)
    return None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.binary(), st.integers(-WINDOW_SECONDS, WINDOW_SECONDS))
def test_what_was_signed_is_accepted_within_the_window(secret: str, body: bytes, off: int) -> None:
    one = signed_headers(secret, NOW, body)
    assert refusal(secret, one["X-Understudy-Timestamp"], one["X-Understudy-Signature"], body, NOW + off) is None


@given(st.binary(min_size=1), st.data())
def test_one_changed_bit_of_the_body_is_refused(body: bytes, data: st.DataObject) -> None:
    spoiled = bytearray(body)
    spoiled[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Refused, match="does not fit the body"):
        verify("s3cret", str(NOW), sign("s3cret", NOW, body), bytes(spoiled), NOW)


@pytest.mark.parametrize("off", [WINDOW_SECONDS + 1, -WINDOW_SECONDS - 1, 10**9])
def test_a_recorded_signature_is_refused_after_the_window_and_before_it(off: int) -> None:
    with pytest.raises(Refused, match="300 s old"):
        verify("s3cret", str(NOW), sign("s3cret", NOW, b"{}"), b"{}", NOW + off)


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1.5", " 1700000000", "1700000000\n", "١٧٠٠٠٠٠٠٠٠", "9" * 5000, "1700000001"])
def test_a_timestamp_that_was_not_signed_is_refused(timestamp: str) -> None:
    with pytest.raises(Refused):
        verify("s3cret", timestamp, sign("s3cret", NOW, b"{}"), b"{}", NOW)


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha1=00", "ÿ", "0" * 64, sign("another", NOW, b"{}"), sign("s3cret", NOW, b"{}").upper()]
)
def test_a_foreign_signature_is_refused(signature: str) -> None:
    with pytest.raises(Refused, match="does not fit the body"):
        verify("s3cret", str(NOW), signature, b"{}", NOW)
