"""The settings: names in the environment, files they name, and who may read secrets."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from contracts.errors import UsageError
from serving.gateway.tokens import read_tokens
from understudy.doctor.finding import Finding, ok, warning, wrong

KNOWN = (
    "UNDERSTUDY_HOME",
    "UNDERSTUDY_PIPELINES",
    "UNDERSTUDY_LEDGER_URL",
    "UNDERSTUDY_DATA_REPO",
    "UNDERSTUDY_DVC_REMOTE",
    "UNDERSTUDY_DASK",
    "UNDERSTUDY_GATEWAY_URL",
    "UNDERSTUDY_WEBHOOK_URL",
    "UNDERSTUDY_WEBHOOK_SECRET_FILE",
    "UNDERSTUDY_TOKENS_FILE",
    "UNDERSTUDY_TOKEN",
    "UNDERSTUDY_TOKEN_FILE",
    "UNDERSTUDY_MAX_BODY_BYTES",
    "UNDERSTUDY_MAX_ROWS",
    "UNDERSTUDY_MAX_WAITING_ROWS",
    "UNDERSTUDY_GATEWAY_WORKERS",
    "UNDERSTUDY_MAX_WAIT_SECONDS",
    "UNDERSTUDY_MAX_SEND_SECONDS",
    "UNDERSTUDY_ACCESS_LOG",
    "UNDERSTUDY_GRPC_PORT",
    "UNDERSTUDY_BIKE_DATA",  # named by pipelines/bike_demand
    "UNDERSTUDY_REFIT_HERE",
    "UNDERSTUDY_LOST_AFTER",
    "UNDERSTUDY_NOTIFY_URL",
    "UNDERSTUDY_NOTIFY_URL_FILE",
    "UNDERSTUDY_NOTIFY_EMAIL",
    "UNDERSTUDY_NOTIFY_EMAIL_FILE",
    "UNDERSTUDY_PREFECT_DATABASE_URL",
    "UNDERSTUDY_REAL_DATA",  # tests only
    "UNDERSTUDY_KILLS",  # tests only, as the next two
    "UNDERSTUDY_OVERLOAD_SECONDS",
    "UNDERSTUDY_SLOW",
    "UNDERSTUDY_SHADOW_MEMORY_MB",
    "UNDERSTUDY_SHADOW_NICE",
    "UNDERSTUDY_SHADOW_CPUS",
    "UNDERSTUDY_TRAFFIC_URL",
    "UNDERSTUDY_TRAFFIC_FSYNC",
    "UNDERSTUDY_TRAFFIC_SEGMENT_MB",
    "UNDERSTUDY_TRAFFIC_SEGMENT_AGE",
    "UNDERSTUDY_TRAFFIC_CLOSE_EVERY",
    "UNDERSTUDY_TRAFFIC_KEEP",
    "UNDERSTUDY_TRAFFIC_KEEP_MB",
)


def look_at_environment(environment: Mapping[str, str], home: Path) -> Iterator[Finding]:
    """Yield what was found about names and secrets."""
    ours = sorted(name for name in environment if name.startswith("UNDERSTUDY_"))
    for name in ours:
        if name not in KNOWN:
            close = difflib.get_close_matches(name, KNOWN, 1)
            yield warning("environment", f"{name} is set, and nothing reads it.", f"Did you mean {close[0]}?" if close else "Unset it.")
    yield ok("environment", ", ".join(name for name in ours if name in KNOWN) or "nothing set: all defaults")
    secret = Path(environment.get("UNDERSTUDY_WEBHOOK_SECRET_FILE") or home / "webhook.secret")
    if secret.is_file():
        yield _secret(secret)
    tokens = environment.get("UNDERSTUDY_TOKENS_FILE")
    if tokens and Path(tokens).is_file():
        yield _tokens(Path(tokens))


def _tokens(path: Path) -> Finding:
    try:
        callers = read_tokens(path)
    except UsageError as error:
        return wrong("tokens", error.message, error.remedy)
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return warning("tokens", f"{path} can be read by others on this machine.", f"chmod 600 {path}")
    return ok("tokens", f"{path}: {', '.join(sorted({one.name for one in callers}))}")


def _secret(path: Path) -> Finding:
    if not os.access(path, os.R_OK):
        return wrong("secret", f"{path} cannot be read.", "Give the right to read it to the user who runs Understudy.")
    if not path.read_text().strip():
        return wrong("secret", f"{path} is empty.", "Write a long random line into it, or delete it: `understudy up` makes one.")
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return warning("secret", f"{path} can be read by others on this machine.", f"chmod 600 {path}")
    return ok("secret", f"{path}, readable by its owner only")
