"""What the process that answers in shadow may use: by environment, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass

from contracts.errors import UsageError

_MEGABYTE = 1024 * 1024
_LEAST_MEGABYTES = 1024  # with everything imported it has 600 of address space
_KINDEST = 19


@dataclass(frozen=True, slots=True)
class ShadowLimits:
    """Limits of each answering process.

    Attributes:
        memory_bytes: of address space; a process that asks for more is ended, and its candidate loses evidence.
        niceness: is added to its parent's: users' answers come first.
        cpus: on which it may run; None: on all.
    """

    memory_bytes: int = 4096 * _MEGABYTE
    niceness: int = _KINDEST
    cpus: frozenset[int] | None = None


USUAL_SHADOW = ShadowLimits()


def read_shadow_limits() -> ShadowLimits:
    """Read the environment.

    Raises:
        UsageError: a value is not what its variable takes.
    """
    memory = _whole("UNDERSTUDY_SHADOW_MEMORY_MB", USUAL_SHADOW.memory_bytes // _MEGABYTE, _LEAST_MEGABYTES, 2**30)
    return ShadowLimits(memory * _MEGABYTE, _whole("UNDERSTUDY_SHADOW_NICE", USUAL_SHADOW.niceness, 0, _KINDEST), _cpus())


def _whole(variable: str, usual: int, least: int, most: int) -> int:
    said = os.environ.get(variable)
    if not said:
        return usual
    if not said.isdecimal() or not least <= int(said) <= most:
        raise UsageError(f"{variable} is '{said}'.", f"Give it a whole number from {least} to {most}, or unset it.")
    return int(said)


def _cpus() -> frozenset[int] | None:
    said = os.environ.get("UNDERSTUDY_SHADOW_CPUS")
    if not said:
        return None
    here = os.sched_getaffinity(0)
    words = [word.strip() for word in said.split(",")]
    if not all(word.isdecimal() and int(word) in here for word in words):
        raise UsageError(f"UNDERSTUDY_SHADOW_CPUS is '{said}'.", f"Give it numbers with commas between; here are {sorted(here)}.")
    return frozenset(map(int, words))
