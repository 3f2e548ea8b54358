"""The services: which answer, which ports are free, and who has those that are not."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapters.settings import Settings
from understudy.doctor.finding import Finding, ok, warning, wrong
from understudy.services.ports import DEFAULTS, is_free

_SECONDS = 1.5
_HEALTH = {"prefect": "/health", "mlflow": "/health", "gateway": "/v2/health/live", "webhook": "/health"}


def look_at_services(settings: Settings) -> Iterator[Finding]:
    """Yield what was found: each named service is asked whether it is well, each default port whether it is free."""
    up = _services_file(settings.services_file)
    urls = {
        "prefect": settings.prefect_api_url,
        "mlflow": settings.mlflow_uri if settings.mlflow_uri.startswith("http") else None,
        "gateway": settings.gateway_url,
        "webhook": settings.webhook_url,
    }
    if up is not None:
        yield _supervisor(settings.services_file, up)
        yield from _children(settings.home, up)
        yield from _strangers(up)
    with ThreadPoolExecutor(len(urls)) as pool:
        yield from pool.map(_ask, urls, urls.values())
    for name, port in DEFAULTS.items():
        if urls.get("gateway" if name == "grpc" else name) is None:  # the gateway answers both
            yield _port(name, port)


def _services_file(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.exists() else None


def _supervisor(path: Path, up: dict[str, Any]) -> Finding:
    pid = up.get("pid")
    if isinstance(pid, int) and Path(f"/proc/{pid}").exists():
        return ok("up", f"`understudy up` runs as process {pid}")
    return wrong("up", f"{path} names a process that is gone ({pid}): it was killed.", "Start it again: understudy up")


def _children(home: Path, up: dict[str, Any]) -> Iterator[Finding]:
    """Services without an address can only be seen as processes."""
    for name, pid in dict(up.get("pids") or {}).items():
        if name not in _HEALTH and not Path(f"/proc/{pid}").exists():
            yield warning(
                name, f"Its process {pid} is gone; `understudy up` starts it again.", f"Where that goes on, see {home}/logs/{name}.log"
            )


def _strangers(up: dict[str, Any]) -> Iterator[Finding]:
    """An address of ours where a process of somebody else answers: two that started at once wanted the same port."""
    for name, pid in dict(up.get("pids") or {}).items():
        port = urlsplit(str(up.get(name, ""))).port
        holder = None if port is None else _listener(port)
        if holder is not None and os.getpgid(holder) != pid:  # each service is the head of a process group
            yield wrong(
                name, f"{up[name]} is answered by another process ({holder}), not by ours ({pid}).", "understudy down, then: understudy up"
            )


def _ask(name: str, url: str | None) -> Finding:
    if url is None:
        return ok(name, "not up, and none named in the environment")
    asked = url.rstrip("/") + _HEALTH[name]
    try:
        with urllib.request.urlopen(asked, timeout=_SECONDS):  # noqa: S310  # an address of the operator's own settings
            return ok(name, f"answers at {url}")
    except urllib.error.HTTPError as error:
        return wrong(name, f"{asked} answers with status {error.code}.", f"Look into the log of {name}.", outside=True)
    except ValueError:
        return wrong(name, f"'{url}' is not an address.", "Write it as http://HOST:PORT.")
    except OSError as error:
        why = getattr(error, "reason", error)
        return wrong(name, f"{url} cannot be reached: {why}.", "Start it with `understudy up`, or mend its address.", outside=True)


def _port(name: str, port: int) -> Finding:
    if is_free(port):
        return ok(f"port {port}", f"free for {name}")
    holder = port_holder(port)
    return warning(
        f"port {port}", f"Taken{f' by {holder}' if holder else ''}; {name} would like it.", f"`understudy up` gives {name} another one."
    )


def port_holder(port: int) -> str | None:
    """Return who listens on a port, as `name (process 123)`; None where this system or user may not know, or it just ended."""
    pid = _listener(port)
    try:
        return None if pid is None else f"{Path(f'/proc/{pid}/comm').read_text().strip()} (process {pid})"
    except OSError:
        return None


def _listener(port: int) -> int | None:
    inodes = {line[9] for line in _sockets() if line[3] == "0A" and int(line[1].rpartition(":")[2], 16) == port}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:  # gone meanwhile, or another user's
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            return int(link.parts[2])
    return None


def _sockets() -> Iterator[list[str]]:
    for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if path.exists():
            yield from (line.split() for line in path.read_text().splitlines()[1:])
