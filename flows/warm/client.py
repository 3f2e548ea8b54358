"""`understudy-engine`: what a Prefect worker starts for each flow run.

It hands the run to the warm engine, or runs it cold where there is none.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

from flows.warm.place import HEADER_BYTES, socket_path

_COLD = [sys.executable, "-m", "prefect.engine"]
_CONNECT_SECONDS = 5.0


def main() -> None:
    """Run the flow run named by the environment and exit as it does."""
    connection = _connect()
    if connection is None:
        os.execv(_COLD[0], _COLD)  # noqa: S606  # the same command that Prefect itself would have started
    sys.exit(_follow(connection))


def _connect() -> socket.socket | None:
    path = socket_path(Path(os.environ.get("UNDERSTUDY_HOME", ".understudy")))
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_CONNECT_SECONDS)
    try:
        connection.connect(str(path))
    except OSError:  # nobody listens: the run is done cold
        connection.close()
        return None
    connection.settimeout(None)
    return connection


def _follow(connection: socket.socket) -> int:
    """Send the job and wait for its exit code; signals go on to the child."""
    job = json.dumps({"cwd": str(Path.cwd()), "env": dict(os.environ)}).encode()
    socket.send_fds(connection, [len(job).to_bytes(HEADER_BYTES, "big")], [1, 2])
    connection.sendall(job)
    with connection.makefile("r") as answers:
        child = int(answers.readline() or 0)
        if not child:
            return 1
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _frame: os.kill(child, got))
        return int(answers.readline() or 1)


if __name__ == "__main__":
    main()
