"""One load generator for all: wrk, with a Lua script that sends one body and tells what it saw as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_LUA = """
local file = io.open(os.getenv("WRK_BODY"), "rb")
wrk.body = file:read("*a")
file:close()
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
done = function(summary, latency, requests)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.stderr:write(string.format('{"requests": %d, "seconds": %f, "failed": %d, "p50": %f, "p99": %f}',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a load saw; p50 and p99 in milliseconds, `failed` of all requests."""

    rate: float
    p50: float
    p99: float
    failed: int

    def best(self, other: Seen) -> Seen:
        """Return the best of two loads, number by number; what failed in either failed."""
        return Seen(max(self.rate, other.rate), min(self.p50, other.p50), min(self.p99, other.p99), self.failed + other.failed)


def wrk_is_here() -> bool:
    """Say whether the load generator is installed (Debian: wrk)."""
    return shutil.which("wrk") is not None


def load(url: str, body: bytes, connections: int, seconds: float, folder: Path) -> Seen:
    """Send one body again and again over so many connections.

    Raises:
        subprocess.CalledProcessError: wrk could not reach the server.
    """
    script, sent = folder / "post.lua", folder / "body.json"
    script.write_text(_LUA)
    sent.write_bytes(body)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(script), url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"WRK_BODY": str(sent)})
    said = json.loads(done.stderr[done.stderr.index("{") :])
    return Seen((said["requests"] - said["failed"]) / said["seconds"], said["p50"], said["p99"], said["failed"])
