"""Who may call: tokens with a name and scopes, from a file that is read again when it changes.

One caller a line, `NAME SCOPES TOKEN`: scopes are joined by commas, the token stands there itself or as `sha256:` and the hex digest of
it; `#` begins a comment. A name may stand on two lines while its token is being changed. No token is ever logged or shown in an error.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from contracts.errors import UsageError

_SHORTEST = 16
_LOOK_SECONDS = 0.5  # a token that was taken out of the file is refused this much later at the most
_NAME = re.compile(r"[\w.-]{1,64}")
_DIGEST = re.compile(r"sha256:([0-9a-fA-F]{64})")


class Scope(StrEnum):
    """What a token is good for; `operate` covers the others."""

    INFER = "infer"
    FEEDBACK = "feedback"
    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Caller:
    """One line of the file; `digest` is the SHA-256 of its token."""

    name: str
    scopes: frozenset[Scope]
    digest: bytes = field(repr=False)

    def may(self, wanted: frozenset[Scope]) -> bool:
        """Say whether one of the wanted scopes is held."""
        return Scope.OPERATE in self.scopes or not self.scopes.isdisjoint(wanted)


def read_tokens(path: Path) -> tuple[Caller, ...]:
    """Return the callers of a tokens file.

    Raises:
        UsageError: it cannot be read, or a line is wrong; names the line, never what stands in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"The tokens file {path} cannot be read: {why}.") from None
    found: dict[bytes, Caller] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        one = _caller(line.split(), f"{path}, line {number}")
        if found.setdefault(one.digest, one) is not one:
            raise UsageError(f"{path}, line {number}: this token stands on a line before it.", "Give each caller one of its own.")
    if not found:
        raise UsageError(f"The tokens file {path} holds no token: nobody could call.", "Write lines of NAME SCOPES TOKEN into it.")
    return tuple(found.values())


def _caller(words: list[str], where: str) -> Caller:
    if len(words) != 3:
        raise UsageError(f"{where}: there are {len(words)} words.", "Write NAME SCOPES TOKEN, scopes joined by commas.")
    name, scopes, token = words
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: the name is not of 1 to 64 letters, digits, dots and dashes.")
    unknown = set(scopes.split(",")) - set(Scope)
    if unknown:
        raise UsageError(f"{where}: a scope is unknown.", f"Scopes are: {', '.join(Scope)}.")
    digest = _DIGEST.fullmatch(token)
    if digest is None and (len(token) < _SHORTEST or token.startswith("sha256:")):
        raise UsageError(f"{where}: the token is too short or no digest.", f"Take at least {_SHORTEST} characters, at random.")
    hashed = bytes.fromhex(digest[1]) if digest else hashlib.sha256(token.encode()).digest()
    return Caller(name, frozenset(Scope(one) for one in scopes.split(",")), hashed)


class Tokens:
    """The callers of a file; a file that is gone or wrong changes nothing, and says so in the log.

    Args:
        clock: seconds that only go forward.

    Raises:
        UsageError: see read_tokens.
    """

    def __init__(self, path: Path, log: FilteringBoundLogger, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._log, self._clock = path, log, clock
        self._seen = self._mark()
        self._callers = read_tokens(path)
        self._look_at = clock() + _LOOK_SECONDS

    def caller(self, token: bytes) -> Caller | None:
        """Return whose token this is; takes the same time whichever it is, and whether it is one."""
        if self._clock() >= self._look_at:
            self._look()
        digest, found = hashlib.sha256(token).digest(), None
        for one in self._callers:
            if hmac.compare_digest(one.digest, digest):
                found = one
        return found

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _look(self) -> None:
        self._look_at = self._clock() + _LOOK_SECONDS
        mark = self._mark()
        if mark == self._seen:
            return
        self._seen = mark
        try:
            self._callers = read_tokens(self._path)
        except UsageError as error:
            self._log.error("The tokens file is wrong; the callers known before stay", error=str(error))
        else:
            self._log.info("Read the tokens file again", callers=sorted({one.name for one in self._callers}))
