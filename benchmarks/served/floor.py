"""The floor: a bare ASGI application on the gateway's own server that decodes, asks the same loaded version, and encodes; nothing else.

    python -m benchmarks.served.floor HOME PIPELINE PORT [constant|queue]

No validation, no log, no metrics, no routing, one request at a time. With `constant` it does not even ask the version. With `queue` it
mirrors: each request goes to the route's shadow too, through a queue and a thread of the same process.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from adapters.ledger import Ledger
from adapters.settings import read_settings
from serving.columns import Columns
from serving.version import LoadedVersion, load_version

_WAITING = 1000  # requests that the mirror may be behind


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    data: list[Any]


class _Body(msgspec.Struct):
    inputs: list[_Tensor]


class _Mirror:
    """Asks a second version whatever the first was asked, in a thread; what finds the queue full is dropped, as it has to be."""

    def __init__(self, version: LoadedVersion) -> None:
        self._version = version
        self._queue: queue.Queue[Columns] = queue.Queue(_WAITING)
        threading.Thread(target=self._work, daemon=True).start()

    def __call__(self, columns: Columns) -> None:
        with suppress(queue.Full):
            self._queue.put_nowait(columns)

    def _work(self) -> None:
        while True:
            self._version.predict(self._queue.get())


def _app(version: LoadedVersion | None, mirror: Callable[[Columns], None] | None = None) -> Any:
    decode, encode = msgspec.json.Decoder(_Body).decode, msgspec.json.Encoder().encode
    names = [] if version is None else list(version.manifest.columns)

    def answer(body: bytes) -> bytes:
        inputs = decode(body).inputs
        if version is None:
            said = [0.5] * inputs[0].shape[0]
        else:
            whole = inputs[0].data
            many = len(inputs) > 1
            columns = {one.name: one.data for one in inputs} if many else {name: whole[at :: len(names)] for at, name in enumerate(names)}
            said = version.predict(columns).tolist()
            if mirror is not None:
                mirror(columns)
        output = {"name": "probability", "datatype": "FP64", "shape": [len(said)], "data": said}
        told: bytes = encode({"model_name": "floor", "model_version": "1", "id": "floor", "outputs": [output]})
        return told

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        parts, more = [], True
        while more:
            message = await receive()
            parts.append(message["body"])
            more = message["more_body"]
        told = answer(b"".join(parts)) if scope["method"] == "POST" else b"{}"
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(told))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})

    return app


def main(home: str, pipeline: str, port: str, kind: str = "") -> None:
    """Serve until told to stop."""
    settings = read_settings(Path(home))
    ledger = Ledger(settings.ledger_url)
    route = ledger.routes()[pipeline]
    ledger.close()
    assert route.champion is not None
    version = None if kind == "constant" else load_version(settings, route.champion)
    mirror = _Mirror(load_version(settings, route.shadow)) if kind == "queue" and route.shadow is not None else None
    quiet = {"log_config": None, "access_log": False, "server_header": False, "date_header": False, "proxy_headers": False}
    uvicorn.run(_app(version, mirror), port=int(port), ws="none", lifespan="off", **quiet)  # type: ignore[arg-type]  # of several types


if __name__ == "__main__":
    main(*sys.argv[1:])
