"""Loads a large model in a process of its own, so that the one that answers users does not stand still meanwhile.

Reading a forest takes a second of Python, and whoever answers would have to share the interpreter with it. Here the other process checks
the package's bytes, loads it and tries it; it hands over what it loaded in Python's own form (pickle), which takes milliseconds to read.
It goes through a pipe from our own code, made out of bytes that were approved; no file is ever unpickled.

    python -m serving.apart FOLDER DIGEST
"""

from __future__ import annotations

import os
import pickle  # only what our own process writes into our own pipe
import subprocess
import sys
from pathlib import Path
from typing import Any

_LEAST_BYTES = 4 * 1024 * 1024  # what is smaller is loaded before another process has even started
_NICENESS = 10  # less urgent than answers, and yet there within seconds on a busy machine
_SECONDS = 600.0
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Tried = tuple[Any, frozenset[str], bool]  # the model, the columns it requires, whether it is quick


def is_large(folder: Path) -> bool:
    """Say whether a package is worth a process of its own."""
    return sum(path.stat().st_size for path in folder.iterdir()) >= _LEAST_BYTES


def load_apart(folder: Path, digest: str) -> Tried | None:
    """Return what another process loaded and tried, or None where it could not: then loading it here says why."""
    command = [sys.executable, "-m", "serving.apart", str(folder), digest]
    try:
        done = subprocess.run(  # noqa: S603  # our own module, and names we were given
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=os.environ | _ONE_THREAD,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    tried: Tried = pickle.loads(done.stdout)  # noqa: S301  # our own process wrote it
    return tried


def main(folder: str, digest: str) -> None:
    """Load a package, and write it to standard output."""
    from adapters.package_store import load_package
    from adapters.priority import give_way
    from serving.version import tried

    give_way(_NICENESS)
    package = load_package(Path(folder), digest)
    _, _, required, quick = tried(package)
    told = sys.stdout.buffer
    pickle.dump((package.model, required, quick), told, protocol=5)
    told.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
