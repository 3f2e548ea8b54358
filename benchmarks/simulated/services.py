"""The gateway and the shadow process as `understudy up` starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.settings import Settings

_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0


@contextmanager
def services(settings: Settings) -> Iterator[Settings]:
    """Start both, wait until the gateway is ready, and stop both in the end.

    Returns:
        The settings with the gateway's address.

    Raises:
        RuntimeError: the gateway ended, or was not ready within a minute.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    reachable = replace(settings, gateway_url=f"http://127.0.0.1:{port}")
    with ExitStack() as running:
        gateway = running.enter_context(_process(settings, "serving.gateway", "--port", str(port)))
        running.enter_context(_process(settings, "serving.shadow"))
        _await_ready(gateway, f"{reachable.gateway_url}/v2/health/ready")
        yield reachable


@contextmanager
def _process(settings: Settings, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    known = {**os.environ, "UNDERSTUDY_HOME": str(settings.home), "UNDERSTUDY_PIPELINES": str(settings.pipelines)}
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], env=known, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=_STOP_SECONDS)


def _await_ready(gateway: subprocess.Popen[bytes], url: str) -> None:
    import httpx

    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and gateway.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # it is not listening yet
        time.sleep(0.1)
    raise RuntimeError(f"the gateway was not ready within {_READY_SECONDS:.0f} s (exit code {gateway.poll()})")
