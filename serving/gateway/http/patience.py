"""Slow clients are cut off: whoever takes too long to send a request, or to read its answer, loses the connection.

The server looks over its connections once a second; a request costs nothing for it. How long a state may last is counted from the first
look that saw it, so a caller that sends a byte now and then gains no time.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import uvicorn
from structlog.typing import FilteringBoundLogger

from serving.gateway.limits import Limits

_TICKS = 10  # of a tenth of a second: how often the connections are looked over


@dataclass(frozen=True, slots=True)
class _State:
    """What a connection waits for; `of` tells one request from the next."""

    what: str
    of: int


class Patience:
    """Decides which connections are too slow.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = {"its head": limits.head_seconds, "its body": limits.body_seconds, "the reading of its answer": limits.read_seconds}
        self._clock = clock
        self._seen: dict[Any, tuple[_State, float]] = {}

    def too_slow(self, connections: Iterable[Any]) -> list[tuple[Any, str]]:
        """Return the connections that have been too long in one state, with what they were waited for."""
        now, seen = self._clock(), {}
        found = []
        for one in connections:
            state = _state(one)
            if state is None:
                continue
            before = self._seen.get(one)
            since = before[1] if before is not None and before[0] == state else now
            seen[one] = (state, since)
            if now - since > self._most[state.what]:
                found.append((one, state.what))
        self._seen = seen
        return found


def _state(one: Any) -> _State | None:
    """Return what uvicorn's connection waits for from its caller; None where it waits for nothing, or for the next request."""
    cycle = one.cycle
    if one.flow.write_paused or one.transport.is_closing():  # one that closes waits until what was written is read
        return _State("the reading of its answer", id(cycle))
    if one.scope is None:  # nothing has come yet
        return _State("its head", 0)
    if cycle is None or cycle.scope is not one.scope:
        return _State("its head", id(one.scope))
    if cycle.more_body and not cycle.response_complete:
        return _State("its body", id(cycle))
    return None


class PatientServer(uvicorn.Server):
    """uvicorn's server, which looks over its connections now and then.

    Args:
        grace_seconds: how long callers have, once it stops, until their connections are cut off. Less than uvicorn's own grace: what
            uvicorn then cancels would wait once more for callers who do not read.
    """

    def __init__(self, config: uvicorn.Config, limits: Limits, log: FilteringBoundLogger, grace_seconds: float) -> None:
        super().__init__(config)
        self._patience, self._log, self._grace_seconds = Patience(limits), log, grace_seconds

    async def on_tick(self, counter: int) -> bool:
        """Cut off the slow, then do what the server does at each tick."""
        if counter % _TICKS == 0:
            for connection, what in self._patience.too_slow(self.server_state.connections):
                self._log.info("A slow caller was cut off", waited_for=what)
                connection.transport.abort()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: callers who have not read their answers within the grace are cut off."""
        cut = asyncio.get_running_loop().call_later(self._grace_seconds, self._cut_off_all)
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()

    def _cut_off_all(self) -> None:
        connections = list(self.server_state.connections)
        if connections:
            self._log.warning("Callers were cut off for the gateway to stop", connections=len(connections))
        for connection in connections:
            connection.transport.abort()
