"""What the page shows: the ledger's overview of every pipeline beside what this gateway itself serves."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from datetime import UTC, datetime
from typing import Any

from structlog.typing import FilteringBoundLogger

from adapters.ledger.overview import overview
from serving.gateway.follower import Follower
from serving.gateway.plane import DataPlane

_FRESH_SECONDS = 0.5
_WAIT_SECONDS = 2.0
_DECISIONS = 10


class Status:
    """The status document; the ledger's part is remembered, so that it can be shown while the ledger is away."""

    def __init__(self, name: str, plane: DataPlane, follower: Follower, log: FilteringBoundLogger) -> None:
        self._name, self._plane, self._follower, self._log = name, plane, follower, log
        self._started = datetime.now(UTC)
        self._overviews: dict[str, dict[str, Any]] = {}
        self._read_at: datetime | None = None
        self._fresh_until = 0.0
        self._reading: asyncio.Event | None = None

    def overviews(self) -> dict[str, dict[str, Any]]:
        """Return what the ledger said about each pipeline when it was read last."""
        return self._overviews

    async def refresh(self, seconds: float) -> None:
        """Read the ledger where that was not done just now; waits so long and no longer, and what is read later counts the next time."""
        fresh = time.monotonic() < self._fresh_until and self._plane.servings().keys() <= self._overviews.keys()
        if self._reading is None and not fresh and self._follower.ledger is not None:
            self._reading = done = asyncio.Event()
            threading.Thread(target=self._read, args=(asyncio.get_running_loop(), done), name="status", daemon=True).start()
        if self._reading is not None:
            waiting = asyncio.ensure_future(self._reading.wait())
            await asyncio.wait([waiting], timeout=seconds)
            waiting.cancel()

    async def document(self) -> dict[str, Any]:
        """Return what is known now; waits a little for the ledger, never for long."""
        await self.refresh(_WAIT_SECONDS)
        servings = self._plane.servings()
        names = sorted(self._overviews.keys() | servings.keys())
        return {
            "gateway": {"id": self._name, "started_at": self._started, "now": datetime.now(UTC)},
            "ledger": {"up": self._follower.ledger_up, "route_from": self._follower.route_from, "read_at": self._read_at},
            "pipelines": [self._overviews.get(name, {"pipeline": name}) | {"gateway": self._of(name)} for name in names],
        }

    def _read(self, loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
        ledger = self._follower.ledger
        try:
            if ledger is not None:
                names = ledger.routes().keys() | self._plane.servings().keys()
                self._overviews = self._overviews | {name: overview(ledger, name, decisions=_DECISIONS) for name in names}
                self._read_at = datetime.now(UTC)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with the ledger, the page shows what was read before
            self._log.warning("The status could not be read from the ledger", error=str(error))
        loop.call_soon_threadsafe(self._end, done)

    def _end(self, done: asyncio.Event) -> None:
        self._fresh_until, self._reading = time.monotonic() + _FRESH_SECONDS, None
        done.set()

    def _of(self, pipeline: str) -> dict[str, Any] | None:
        serving = self._plane.servings().get(pipeline)
        refusal = self._follower.loader.refusals.get(pipeline)
        refused = None if refusal is None else {"version": refusal.version, "error": refusal.error, "at": refusal.at}
        if serving is None:
            return None if refused is None else {"version": None, "refused": refused}
        shadow = serving.route.shadow
        return {
            "version": serving.version,
            "epoch": serving.route.epoch,
            "since": serving.since,
            "shadow": None if shadow is None else shadow.version,
            "arms": [{"name": arm.name, "version": arm.version.model.version, "share": arm.share} for arm in serving.arms],
            "engine": dataclasses.asdict(serving.champion.engine),
            "latency_ms": self._plane.latency_ms(pipeline),
            "waiting_rows": self._plane.waiting_rows(pipeline),
            "refused": refused,
        }
