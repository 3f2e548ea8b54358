"""A real web server of files, that knows ETag, If-Range and Range, and can break off, refuse and hide."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.staticfiles import StaticFiles


class Site:
    """Starlette's own file server, behind a recorder that can break off, refuse and hide."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._files = folder, StaticFiles(directory=folder)
        self.asked: list[tuple[dict[str, str], int, int]] = []  # request headers, status, bytes sent
        self.break_after: list[int] = []  # the next answers end after so many bytes
        self.answer: int | None = None
        self.hide: set[bytes] = set()  # response headers that are not sent
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        limit = self.break_after.pop(0) if self.break_after else None
        sent = 0

        async def pass_on(message: Any) -> None:
            nonlocal sent
            if message["type"] == "http.response.start":
                self.asked.append((headers, message["status"], 0))
                message["headers"] = [pair for pair in message["headers"] if pair[0] not in self.hide]
            elif message.get("body") and limit is not None and sent + len(message["body"]) > limit:
                await send({**message, "body": message["body"][: limit - sent], "more_body": True})
                self.asked[-1] = (*self.asked[-1][:2], limit)
                raise ConnectionAbortedError("as the test asked")
            sent += len(message.get("body", b""))
            self.asked[-1] = (*self.asked[-1][:2], sent)
            await send(message)

        if self.answer:
            await pass_on({"type": "http.response.start", "status": self.answer, "headers": []})
            await pass_on({"type": "http.response.body", "body": b""})
        else:
            await self._files(scope, receive, pass_on)


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """Serve a folder on a free port of this machine."""
    one = Site(folder)
    server = uvicorn.Server(uvicorn.Config(one, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.01)
    one.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield one
    finally:
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()
