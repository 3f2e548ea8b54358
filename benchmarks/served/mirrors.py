"""What shadowing is held against: nginx in front that mirrors, and the shadow process itself, which can be stopped and sent on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.served.home import Home
from benchmarks.served.servers import free_port, tree
from contracts.rollout import ShadowView

_ROOT = Path(__file__).parents[2]
_PATIENCE, _LOOK = 120.0, 0.05
_NGINX = """
daemon off;
master_process off;
pid {place}/nginx.pid;
error_log {place}/nginx.log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  keepalive_requests 100000000;
  upstream champion {{ server {champion}; keepalive 256; keepalive_requests 100000000; }}
  upstream candidate {{ server {candidate}; keepalive 256; keepalive_requests 100000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{ listen 127.0.0.1:{plain}; location / {{ proxy_pass http://champion; }} }}
  server {{
    listen 127.0.0.1:{mirroring};
    location / {{ mirror /copy; proxy_pass http://champion; }}
    location = /copy {{ internal; proxy_pass http://candidate$request_uri; }}
  }}
}}
"""


def nginx_is_here() -> str | None:
    """Return where nginx is (Debian: nginx-light), or None."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def nginx(place: Path, champion: str, candidate: str) -> Iterator[tuple[int, int]]:
    """Run nginx with one worker before two servers (host:port); yield its port without a mirror, and the one that mirrors."""
    plain, mirroring = free_port(), free_port()
    conf = place / "nginx.conf"
    conf.write_text(_NGINX.format(place=place, champion=champion, candidate=candidate, plain=plain, mirroring=mirroring))
    process = subprocess.Popen([nginx_is_here() or "nginx", "-p", str(place), "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        yield plain, mirroring
    finally:
        process.terminate()
        process.wait()


class Shadow:
    """The shadow process on a home, as a context."""

    def __init__(self, home: Home, pipeline: str) -> None:
        self._home, self._pipeline = home, pipeline

    def __enter__(self) -> Shadow:
        environment = os.environ | {"UNDERSTUDY_HOME": str(self._home.folder)}
        command = [sys.executable, "-m", "serving.shadow"]
        with (self._home.folder / "shadow.log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        self.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGCONT)
        self._process.terminate()
        self._process.wait()

    def stop(self) -> None:
        """Stop the answering process where it is: nothing is loaded or started between rounds."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Send it on, and wait until it has caught up with what it missed."""
        began = datetime.now(UTC)
        self._signal(signal.SIGCONT)
        self._until(lambda view: view.seen_at > began and not view.lag_rows)

    def _signal(self, number: signal.Signals) -> None:
        for pid in tree(self.pid)[1:]:
            os.kill(pid, number)

    def seen(self) -> ShadowView:
        """Wait for its first answer, and return where it is."""
        return self._until(lambda view: view.rows > 0)

    def behind(self) -> int:
        """Return how many logged rows it had yet to answer when it told that last."""
        return self._until(lambda _: True).lag_rows

    def _until(self, fits: Callable[[ShadowView], bool]) -> ShadowView:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            view = self._home.ledger.shadow(self._pipeline)
            if view is not None and fits(view):
                return view
            time.sleep(_LOOK)
        raise RuntimeError(f"the shadow does not come so far: {(self._home.folder / 'shadow.log').read_text()[-1500:]}")
