"""The calls that the ledger keeps one by one, and the count of the others: whole in numbers, and no stranger can fill the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from structlog.typing import FilteringBoundLogger

from webhook.asked import Asked
from webhook.limits import CallRate

TELL_SECONDS = 10.0  # a receiver that is killed hard forgets what it counted since it last told
_ONE_BY_ONE = (100, 1.0)  # refusals with a row of their own: so many at once, then so many a second
_KIND = "refusals"
_Keep = Callable[[str, int, str, Asked | None], None]


class Audit:
    """Keeps calls in the ledger; what has no row of its own is counted, and told in one row at a time.

    Args:
        keep: writes one row: kind, status, words, and what was asked where its pipeline is known; blocks.
        clock: seconds that only go forward.
    """

    def __init__(self, keep: _Keep, log: FilteringBoundLogger, clock: Callable[[], float]) -> None:
        self._keep, self._log = keep, log
        self._rate = CallRate(clock, *_ONE_BY_ONE)
        self._counted: Counter[int] = Counter()
        self._since = datetime.now(UTC)

    async def refused(self, kind: str, status: int, words: str) -> None:
        """Keep a refusal, or count it where there are too many."""
        if status != 429 and self._rate.allows(_KIND):
            await self.keep(kind, status, words)
        else:
            self.count(status)

    async def keep(self, kind: str, status: int, words: str, asked: Asked | None = None) -> None:
        """Keep one call; it is counted where the ledger does not take it."""
        if not await self._written(kind, status, words, asked):
            self.count(status)

    def count(self, status: int) -> None:
        """Count one call that has no row."""
        if not self._counted:
            self._since = datetime.now(UTC)
        self._counted[status] += 1

    async def tell(self) -> None:
        """Write one row for what was counted, if anything was; where the ledger does not take it, it stays counted."""
        told, since = self._counted, self._since
        if not told:
            return
        self._counted = Counter()
        parts = ", ".join(f"{number} × {status}" for status, number in sorted(told.items()))
        words = f"{told.total()} refusals not kept since {since.isoformat(timespec='seconds')}: {parts}"
        if not await self._written(_KIND, told.most_common(1)[0][0], words, None):
            self._counted, self._since = told + self._counted, since

    async def tell_until(self, stopped: asyncio.Event) -> None:
        """Tell again and again, and a last time when all stops."""
        while not stopped.is_set():
            await self.tell()
            with suppress(TimeoutError):
                async with asyncio.timeout(TELL_SECONDS):
                    await stopped.wait()
        await self.tell()

    async def _written(self, kind: str, status: int, words: str, asked: Asked | None) -> bool:
        try:
            await run_in_threadpool(self._keep, kind, status, words, asked)
        except SQLAlchemyError as broken:
            self._log.error("not audited", error=str(broken)[:300])
            return False
        return True
