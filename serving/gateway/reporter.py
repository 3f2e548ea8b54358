"""Tells the ledger what this gateway serves: at once when it changed, and again and again, so that it counts as alive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from structlog.typing import FilteringBoundLogger

from adapters.ledger import Ledger
from adapters.usage import Busy, memory_bytes
from contracts.rollout import GatewayView
from serving.gateway.plane import DataPlane

_EVERY_SECONDS = 2.0
_STOP_SECONDS = 1.0


class Reporter:
    """Writes to the ledger in a thread of its own: a writer may have to wait, and routes must be read meanwhile.

    Args:
        name: this gateway's id; the same after a restart, so that a killed one leaves no ghost.
        ledger: returns the ledger where it is open.
    """

    def __init__(self, name: str, plane: DataPlane, ledger: Callable[[], Ledger | None], log: FilteringBoundLogger) -> None:
        self.name = name
        self._plane, self._ledger, self._log = plane, ledger, log
        self._stop, self._wake = threading.Event(), threading.Event()
        self._failing, self._busy = False, Busy()
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def now(self) -> None:
        """Report at once."""
        self._wake.set()

    def stop(self) -> None:
        """Report no more, and take this gateway off the ledger's list."""
        self._stop.set()
        self._wake.set()
        self._thread.join(_STOP_SECONDS)

    def _work(self) -> None:
        while not self._stop.is_set():
            self._try(self._report)
            self._wake.wait(_EVERY_SECONDS)
            self._wake.clear()
        self._try(lambda ledger: ledger.forget_gateway(self.name))

    def _report(self, ledger: Ledger) -> None:
        used = memory_bytes(), self._busy.processors()
        for pipeline, serving in self._plane.servings().items():
            view = GatewayView(self.name, serving.route.epoch, serving.version, datetime.now(UTC), *used)
            ledger.report_gateway(pipeline, view)

    def _try(self, write: Callable[[Ledger], None]) -> None:
        ledger = self._ledger()
        if ledger is None:
            return
        try:
            write(ledger)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with the ledger, answers go on
            if not self._failing:
                self._log.error("The ledger cannot be told what is served", error=str(error))
            self._failing = True
        else:
            self._failing = False
