"""Requests sent ahead on one connection wait as bytes, a few at a time as requests, and their caller is not read from meanwhile.

uvicorn reads on whenever an answer is complete, so that a caller who sends without end has thousands of requests in memory for each
that was answered. Here a connection is parsed in slices, and the next slice only when nothing of the one before waits: what one
connection can hold is what the socket gave at once and the requests of a slice.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.gateway.http.one_write import OneWrite

SLICE_BYTES = 8 * 1024


class _Flow(FlowControl):
    """Flow control that does not read on while requests wait on the connection."""

    def __init__(self, transport: asyncio.Transport, waiting: Any) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Read on, unless requests wait."""
        if not self._waiting:
            super().resume_reading()


class Pipelining(HttpToolsProtocol):
    """uvicorn's connection, with a bound on what was sent ahead."""

    _held = memoryview(b"")  # came from the socket, not parsed yet; while it is not empty, requests wait or the connection ends

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it, too
        """Begin."""
        super().connection_made(OneWrite(transport, self.loop))
        self.flow = _Flow(transport, self.pipeline)

    def data_received(self, data: bytes) -> None:
        """Take what came: at once if it is little, else in slices."""
        if not self.pipeline and len(data) <= SLICE_BYTES:
            super().data_received(data)
            return
        self._held = memoryview(bytes(self._held) + data) if self._held else memoryview(data)
        self._parse_on()

    def on_response_complete(self) -> None:
        """Go on with the next request, parsed or not."""
        super().on_response_complete()
        self._parse_on()

    def shutdown(self) -> None:
        """Answer what was parsed, nothing that waits behind it."""
        self._held = memoryview(b"")
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; what waits is dropped."""
        self._held = memoryview(b"")
        self.pipeline.clear()
        super().connection_lost(exc)

    def _parse_on(self) -> None:
        while self._held and not self.pipeline and not self.transport.is_closing():
            part, self._held = self._held[:SLICE_BYTES], self._held[SLICE_BYTES:]
            super().data_received(part)  # type: ignore[arg-type]  # the parser takes any buffer and hands on bytes
