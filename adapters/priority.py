"""How a process of ours lets others go first."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_OUR_SESSION = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Make this process less urgent, and its session where it leads one: some kernels share processors among sessions first (autogroup).

    Args:
        niceness: is added to what the process was started with.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # a kernel without autogroups, or a container that hides them: there a process's own niceness counts
            _OUR_SESSION.write_text(str(niceness))
