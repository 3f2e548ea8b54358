"""How a process of ours lets others go first."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_NICEST = 19
_OUR_SESSION = Path("/proc/self/autogroup")


def yield_to_all() -> None:
    """Run this process only where nobody else wants to, and stop at once where somebody does (SCHED_IDLE).

    One that is only nice may go on to the end of its slice, milliseconds, before one that wakes up beside it. Without privileges there is
    no way back. Where the system has no such policy or forbids it, the process is as nice as can be.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):
        os.nice(_NICEST)


def give_way(niceness: int) -> None:
    """Make this process less urgent, and its session where it leads one: some kernels share processors among sessions first (autogroup).

    Args:
        niceness: is added to what the process was started with.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # a kernel without autogroups, or a container that hides them: there a process's own niceness counts
            _OUR_SESSION.write_text(str(niceness))
