"""Where the warm engine listens: a socket in a folder only its owner may enter; imports nothing heavy."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

HEADER_BYTES = 4  # length of the job that follows, big-endian


def socket_path(home: Path) -> Path:
    """Return the socket of the engine that serves a home; short, because the system allows 107 bytes."""
    name = hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"understudy-{os.getuid()}-{name}" / "engine.sock"
