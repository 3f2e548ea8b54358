"""A package's digest is the one sha256sum would give, and any changed byte changes it."""

from __future__ import annotations

import hashlib

from contracts.package import package_digest


def test_the_digest_is_the_sha256_of_the_sorted_sha256sum_lines() -> None:
    lines = f"{hashlib.sha256(b'A').hexdigest()}  a\n{hashlib.sha256(b'B').hexdigest()}  b\n"
    assert package_digest({"b": b"B", "a": b"A"}) == hashlib.sha256(lines.encode()).hexdigest()


def test_a_changed_byte_and_a_changed_name_change_the_digest() -> None:
    digest = package_digest({"a": b"A"})
    assert package_digest({"a": b"a"}) != digest
    assert package_digest({"b": b"A"}) != digest
