"""Follows the ledger's routes: what is wanted is compared with what answers, and swapped when it is loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from structlog.typing import FilteringBoundLogger

from adapters.ledger import Ledger
from adapters.settings import Settings
from contracts.rollout import ModelRef, Route
from serving.gateway.asks import Serving, ServingArm
from serving.gateway.loader import Loader
from serving.gateway.metrics import Meters
from serving.gateway.plane import DataPlane
from serving.gateway.route_file import read_routes, write_routes

_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 3.0  # how long the ledger is waited for before the cached route is served
_OPEN_AGAIN_SECONDS = 1.0
_STOP_SECONDS = 0.4
_ALONE = -1  # the epoch of a champion that answers for arms that cannot be loaded: what is logged under it counts for nothing


class Follower:
    """Keeps the data plane on the desired routes, in threads of its own.

    A route that is absent, unreadable or cannot be loaded changes nothing: what answered goes on answering.

    Args:
        swapped: called after routes were applied.
    """

    def __init__(
        self, settings: Settings, plane: DataPlane, meters: Meters, log: FilteringBoundLogger, swapped: Callable[[], None]
    ) -> None:
        self._settings, self._plane, self._meters, self._log, self._swapped = settings, plane, meters, log, swapped
        self._stop, self._wake = threading.Event(), threading.Event()
        self.loader = Loader(settings, meters, log, ready=self._wake.set)
        self.ledger: Ledger | None = None
        self.ledger_up = False
        self.route_from: str | None = None  # "ledger", "cache", or None while nothing is known yet
        self._desired: dict[str, Route] = {}
        self._previous: dict[str, ModelRef] = {}
        self._threads = [threading.Thread(target=one, name=f"route-{one.__name__}", daemon=True) for one in (self._open, self._follow)]

    def start(self) -> None:
        """Begin to follow."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Follow no more; what answers goes on answering."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    @property
    def settled(self) -> bool:
        """Whether all that is desired answers, or was tried and cannot be loaded."""
        return self.route_from is not None and all(name in self.loader.refusals for name in self._plane.missing())

    def _open(self) -> None:
        complained = False
        while not self._stop.is_set() and self.ledger is None:
            try:
                self.ledger = Ledger(self._settings.ledger_url)
            except Exception as error:  # noqa: BLE001  # whatever is wrong with the ledger, answers go on
                if not complained:
                    self._log.error("The ledger cannot be opened; the cached route is served", error=str(error))
                complained = True
                self._stop.wait(_OPEN_AGAIN_SECONDS)
        self._wake.set()

    def _follow(self) -> None:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not self._stop.is_set():
            try:
                self._want(patience)
                self._reconcile()
            except Exception:  # noqa: BLE001  # whatever it was, the route must be followed further
                self._log.exception("The route could not be followed")
            self._wake.wait(_POLL_SECONDS)
            self._wake.clear()

    def _want(self, patience: float) -> None:
        """Learn what is desired: from the ledger, or, where that has not answered in time since the start, from the cached route."""
        routes, source = self._read(), "ledger"
        if routes is None and self.route_from is None and time.monotonic() > patience:
            routes, source = self._cached(), "cache"
        if routes is not None:
            self._desired |= routes
            self._plane.expected = frozenset(self._desired)
            self.route_from = source  # last: from here on the gateway may call itself ready

    def _read(self) -> dict[str, Route] | None:
        if self.ledger is None:
            return None
        try:
            routes = self.ledger.routes()
        except Exception as error:  # noqa: BLE001  # whatever is wrong with the ledger, answers go on
            self._tell_ledger(up=False, error=str(error))
            return None
        self._tell_ledger(up=True)
        return routes

    def _tell_ledger(self, *, up: bool, error: str = "") -> None:
        if up != self.ledger_up:
            if up:
                self._log.info("The ledger answers")
            else:
                self._log.error("The ledger does not answer; the route stays as it is", error=error)
        self.ledger_up = up
        self._meters.ledger_up.set(int(up))

    def _cached(self) -> dict[str, Route]:
        path = self._settings.model_cache / "routes.json"
        try:
            found = read_routes(path)
        except (ValueError, OSError) as error:
            self._log.error("The cached route cannot be read", path=str(path), error=str(error))
            return {}
        self._log.warning("The ledger does not answer; the cached route is served", pipelines=sorted(found))
        return found

    def _reconcile(self) -> None:
        """Bring what answers to what is desired, as far as it is loaded."""
        answering, changed = self._plane.servings(), False
        for pipeline, route in self._desired.items():
            if route.champion is None:
                continue
            before = answering.get(pipeline)
            champion = self.loader.get(pipeline, route.champion)
            if route.shadow is not None:
                self.loader.get(pipeline, route.shadow)  # so that a promotion loads nothing
            arms = self._arms(pipeline, route)
            if champion is None or (before is not None and before.route == route):
                continue
            if arms is None:
                if before is not None or not self._is_refused(route):
                    continue
                arms, route = (), replace(route, epoch=_ALONE, arms=())  # the champion alone is better than nobody; the log says so
            same = before is not None and before.champion.model == champion.model
            since = before.since if before is not None and same else datetime.now(UTC)
            self._plane.put(Serving(pipeline, route, champion, since, arms))
            self._meters.tell_route(pipeline, route)
            if before is not None and not same:
                self._previous[pipeline] = before.champion.model
            self._log.info("Applied a route", pipeline=pipeline, epoch=route.epoch, champion=champion.model.version)
            changed = True
        if changed:
            self._after_swap()

    def _arms(self, pipeline: str, route: Route) -> tuple[ServingArm, ...] | None:
        """Return the route's arms, or None while one of them is not loaded."""
        loaded = [(arm, self.loader.get(pipeline, arm.model)) for arm in route.arms]
        found = tuple(ServingArm(arm.name, version, arm.share) for arm, version in loaded if version is not None)
        return found if len(found) == len(loaded) else None

    def _is_refused(self, route: Route) -> bool:
        return any(self.loader.refused(arm.model) for arm in route.arms)

    def _after_swap(self) -> None:
        self._swapped()
        servings = self._plane.servings()
        try:
            routes = {name: self._desired[name] if one.route.epoch == _ALONE else one.route for name, one in servings.items()}
            write_routes(self._settings.model_cache / "routes.json", routes)
        except OSError as error:
            self._log.error("The route cannot be cached; a restart needs the ledger", error=str(error))
        wanted = [one.route.champion for one in servings.values()] + [route.shadow for route in self._desired.values()]
        wanted += [route.champion for route in self._desired.values()] + list(self._previous.values())
        followed = [*self._desired.values(), *(one.route for one in servings.values())]
        wanted += [arm.model for route in followed for arm in route.arms]
        for gone in self.loader.keep([model for model in wanted if model is not None]):
            self._meters.forget(gone.manifest.pipeline, gone.model.version)
