"""The floor: a bare ASGI application on the gateway's own server that decodes, asks the same loaded version, and encodes; nothing else.

    python -m benchmarks.served.floor HOME PIPELINE PORT [constant]

No validation, no log, no metrics, no routing, one request at a time. With `constant` it does not even ask the version.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from adapters.ledger import Ledger
from adapters.settings import read_settings
from serving.version import LoadedVersion, load_version


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    data: list[Any]


class _Body(msgspec.Struct):
    inputs: list[_Tensor]


def _app(version: LoadedVersion | None) -> Any:
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


def main(home: str, pipeline: str, port: str, *constant: str) -> None:
    """Serve until told to stop."""
    settings = read_settings(Path(home))
    ledger = Ledger(settings.ledger_url)
    champion = ledger.routes()[pipeline].champion
    ledger.close()
    assert champion is not None
    version = None if constant else load_version(settings, champion)
    quiet = {"log_config": None, "access_log": False, "server_header": False, "date_header": False, "proxy_headers": False}
    uvicorn.run(_app(version), port=int(port), ws="none", lifespan="off", **quiet)  # type: ignore[arg-type]  # of several types


if __name__ == "__main__":
    main(*sys.argv[1:])
