"""What one look found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Fine; fine but worth knowing; in the way."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what was looked at, in a word or two.
        said: one plain sentence about it.
        remedy: what to do; empty where it is fine.
        outside: what is wrong is not on this machine's side, and trying again may help.
    """

    subject: str
    state: State
    said: str
    remedy: str = ""
    outside: bool = False


def ok(subject: str, said: str) -> Finding:
    """Return a finding that all is fine."""
    return Finding(subject, State.OK, said)


def warning(subject: str, said: str, remedy: str) -> Finding:
    """Return a finding that is in nobody's way."""
    return Finding(subject, State.WARNING, said, remedy)


def wrong(subject: str, said: str, remedy: str, *, outside: bool = False) -> Finding:
    """Return a finding that is in the way."""
    return Finding(subject, State.WRONG, said, remedy, outside)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 where nothing is wrong, 3 where only things outside are, else 2."""
    broken = [one for one in findings if one.state is State.WRONG]
    if not broken:
        return 0
    return 3 if all(one.outside for one in broken) else 2
