"""The composition root of the shadow process: a keeper for each pipeline whose route has someone in shadow."""

from __future__ import annotations

import signal
import threading
import time

from sqlalchemy.exc import SQLAlchemyError
from structlog.typing import FilteringBoundLogger

from adapters.ledger import Ledger
from adapters.process_log import configure_log
from adapters.settings import Settings
from contracts.errors import OutsideError
from contracts.rollout import Route
from serving.shadow.archivist import Archivist
from serving.shadow.keeper import HANG_SECONDS, Keeper

_POLL_SECONDS = 0.1
_REPORT_SECONDS = 0.5
_LEDGER_SECONDS = 2.0


class Supervisor:
    """Follows the routes and reports where every shadow is; the only one who reports it."""

    def __init__(self, settings: Settings, ledger: Ledger, log: FilteringBoundLogger, hang_seconds: float = HANG_SECONDS) -> None:
        self._settings, self._ledger, self._log, self._hang_seconds = settings, ledger, log, hang_seconds
        self._keepers: dict[str, Keeper] = {}
        self._routes: dict[str, Route] = {}
        self._reported = 0.0
        self._ledger_is_away = False
        self._archivist = Archivist(settings, log)

    def run(self, stopping: threading.Event) -> None:
        """Go on until told to stop; then stop every process."""
        try:
            while not stopping.wait(_POLL_SECONDS):
                self._look()
                for keeper in self._keepers.values():
                    keeper.tend()
                if time.monotonic() - self._reported > _REPORT_SECONDS:
                    self._report()
                self._archivist.tend()
        finally:
            self._archivist.stop()
            for keeper in self._keepers.values():
                keeper.stop()

    def _look(self) -> None:
        try:
            self._routes = {name: route for name, route in self._ledger.routes().items() if route.shadow is not None}
        except SQLAlchemyError as error:
            self._without_ledger(error)
            return
        self._ledger_is_away = False
        for name in self._routes.keys() - self._keepers.keys():
            self._keepers[name] = Keeper(self._settings, name, self._log, self._hang_seconds)
        for name in self._keepers.keys() - self._routes.keys():
            self._keepers.pop(name).stop()

    def _report(self) -> None:
        self._reported = time.monotonic()
        for name, keeper in self._keepers.items():
            view = keeper.view(self._routes[name])
            if view is not None:
                try:
                    self._ledger.report_shadow(name, view)
                except SQLAlchemyError as error:
                    self._without_ledger(error)

    def _without_ledger(self, error: SQLAlchemyError) -> None:
        if not self._ledger_is_away:
            self._log.error("the ledger does not answer; the routes stay as they are", error=str(error)[:300])
        self._ledger_is_away = True


def supervise(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    log, stopping = configure_log("shadow"), threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stopping.set())
    ledger = _open(settings, log, stopping)
    if ledger is None:
        return
    log.info("following", traffic=str(settings.traffic))
    try:
        Supervisor(settings, ledger, log).run(stopping)
    finally:
        ledger.close()
        log.info("stopped")


def _open(settings: Settings, log: FilteringBoundLogger, stopping: threading.Event) -> Ledger | None:
    """Open the ledger, however long it takes to come up."""
    while not stopping.is_set():
        try:
            return Ledger(settings.ledger_url)
        except OutsideError as error:
            log.warning("waiting for the ledger", error=str(error))
            stopping.wait(_LEDGER_SECONDS)
    return None
