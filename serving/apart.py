"""Loads a large model in a process of its own, so that the one that answers users does not stand still meanwhile.

Reading a forest takes a second of Python, and whoever answers would have to share the interpreter with it. Here the other process checks
the package's bytes, loads it and tries it; it hands over what it loaded in Python's own form (pickle), which takes milliseconds to read.
It goes through a pipe from our own code, made out of bytes that were approved; no file is ever unpickled.

The other process yields to whoever else wants a processor, so that answers do not wait for it. On a machine with no time to spare it
would never end: after a while another one is started that insists on a share.

    python -m serving.apart FOLDER DIGEST idle|nice
"""

from __future__ import annotations

import os
import pickle  # only what our own process writes into our own pipe
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, cast

_LEAST_BYTES = 4 * 1024 * 1024  # what is smaller is loaded before another process has even started
_NICENESS = 10  # of the one that insists: less urgent than answers, and yet there within seconds on a busy machine
_SECONDS, _SECONDS_PER_MEGABYTE = 30.0, 1.0  # for the one that yields: on a machine with time to spare it is there in a tenth of that
_INSISTING_SECONDS = 600.0
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Tried = tuple[Any, frozenset[str], bool]  # the model, the columns it requires, whether it is quick


def is_large(folder: Path) -> bool:
    """Say whether a package is worth a process of its own."""
    return _bytes(folder) >= _LEAST_BYTES


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def load_apart(folder: Path, digest: str) -> Tried | None:
    """Return what another process loaded and tried, or None where it could not: then loading it here says why."""
    patience = _SECONDS + _SECONDS_PER_MEGABYTE * _bytes(folder) / 1e6
    try:
        return _told_by(folder, digest, "idle", patience) or _told_by(folder, digest, "nice", _INSISTING_SECONDS)
    except (OSError, EOFError, pickle.UnpicklingError):  # it did not start, or stopped before it had told all
        return None


def _told_by(folder: Path, digest: str, manner: str, seconds: float) -> Tried | None:
    """Read what it says while it says it: between two reads answers go first. None where it came too late."""
    command = [sys.executable, "-m", "serving.apart", str(folder), digest, manner]
    until = time.monotonic() + seconds
    with subprocess.Popen(  # noqa: S603  # our own module, and names we were given
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=os.environ | _ONE_THREAD
    ) as process:
        late = threading.Timer(seconds, process.kill)
        late.start()
        try:
            tried: Tried = pickle.load(cast(IO[bytes], process.stdout))  # noqa: S301  # our own process wrote it
        except (EOFError, pickle.UnpicklingError):
            if time.monotonic() < until:
                raise
            return None
        finally:
            late.cancel()
    return tried


def main(folder: str, digest: str, manner: str) -> None:
    """Load a package, and write it to standard output."""
    from adapters.priority import give_way, yield_to_all

    yield_to_all() if manner == "idle" else give_way(_NICENESS)
    from adapters.package_store import load_package
    from serving.version import tried

    package = load_package(Path(folder), digest)
    _, _, required, quick = tried(package)
    told = sys.stdout.buffer
    pickle.dump((package.model, required, quick), told, protocol=5)
    told.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
