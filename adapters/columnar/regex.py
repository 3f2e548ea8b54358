"""Python's regular expressions in RE2's words, where both mean the same."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<digit>\\d)|(?P<escaped>\\[nrt]|\\[-.^$*+?()\[\]{}|/\\@:,;=_%#&<>!'"~])|(?P<class>\[\^?(?:[^\]\[\\]|\\d|\\[-.^$*+?()\[\]{}|/\\])+\])"""
    r"""|(?P<end>\$)|(?P<group>\((?:\?:)?(?!\?))|(?P<repeat>\{\d{1,3}(?:,\d{0,3})?\}\??(?![+?*]))|(?P<many>[*+?]\??(?![+?*]))"""
    r"""|(?P<plain>[^\\\[\]{}()$*+?])|(?P<close>\))"""
)


def re2_of(pattern: str) -> str | None:
    r"""Return a pattern for RE2 that finds what Python's `re.search` finds; None where that is not certain.

    Digits are all of Unicode's, and `$` is also before a last line break, as Python has it. Letters and spaces by class (`\w`, `\s`, `\b`),
    looking around and back, flags and the like are left to Python.

    >>> re2_of(r"^C\d{5}$")
    '^C\\p{Nd}{5}(?:\\n?\\z)'
    >>> re2_of(r"\w+") is None
    True
    """
    import pyarrow as pa  # type: ignore[import-untyped]  # pyarrow ships no types
    from pyarrow import compute

    told, position = [], 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            return None
        position = token.end()
        said = token.group()
        if token.lastgroup == "end":
            said = r"(?:\n?\z)"
        elif token.lastgroup in ("digit", "class"):
            said = re.sub(r"(\\\\)|\\d", lambda found: found.group() if found.group(1) else r"\p{Nd}", said)
        told.append(said)
    whole = "".join(told)
    try:
        re.compile(pattern)
        compute.match_substring_regex(pa.array([""]), whole)
    except (re.error, pa.ArrowInvalid):
        return None
    return whole
