"""Loads versions beside the answering, each in a thread of its own (large ones by another process); what failed is tried again later."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from structlog.typing import FilteringBoundLogger

from adapters.settings import Settings
from contracts.errors import DigestMismatch, OutsideError
from contracts.rollout import ModelRef
from serving.gateway.metrics import Meters
from serving.version import LoadedVersion, load_version

_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that could not be loaded, and why."""

    version: str
    digest: str
    error: str
    at: datetime
    attempts: int


class Loader:
    """What is loaded, by digest, and what is on its way.

    Args:
        ready: called, from another thread, when a load has ended either way.
    """

    def __init__(self, settings: Settings, meters: Meters, log: FilteringBoundLogger, ready: Callable[[], None]) -> None:
        self._settings, self._meters, self._log, self._ready = settings, meters, log, ready
        self._loaded: dict[str, LoadedVersion] = {}
        self._loading: set[str] = set()
        self._retry_at: dict[str, float] = {}
        self.refusals: dict[str, Refusal] = {}  # by pipeline, the newest one

    def get(self, pipeline: str, model: ModelRef) -> LoadedVersion | None:
        """Return a version if it is loaded; otherwise see to it that it is being loaded, and return None."""
        found = self._loaded.get(model.digest)
        if found is not None:
            return found if found.model == model else replace(found, model=model)
        if model.digest not in self._loading and time.monotonic() >= self._retry_at.get(model.digest, 0.0):
            self._loading.add(model.digest)
            threading.Thread(target=self._load, args=(pipeline, model), name=f"load-{pipeline}-{model.version}", daemon=True).start()
        return None

    def refused(self, model: ModelRef) -> bool:
        """Say whether a version could not be loaded when that was tried last."""
        return model.digest in self._retry_at and model.digest not in self._loaded

    def keep(self, models: Collection[ModelRef]) -> list[LoadedVersion]:
        """Drop every version but these, and return those dropped."""
        wanted = {model.digest for model in models}
        gone = [digest for digest in list(self._loaded) if digest not in wanted]
        return [self._loaded.pop(digest) for digest in gone]

    def _load(self, pipeline: str, model: ModelRef) -> None:
        started = time.perf_counter()
        try:
            loaded = load_version(self._settings, model, apart=bool(self._loaded))
        except Exception as error:  # noqa: BLE001  # a package may be broken in any way; the version that answers must go on
            self._refuse(pipeline, model, error)
        else:
            self._loaded[model.digest] = loaded
            self._retry_at.pop(model.digest, None)
            if pipeline in self.refusals and self.refusals[pipeline].digest == model.digest:
                del self.refusals[pipeline]
            _settle()
            seconds = round(time.perf_counter() - started, 3)
            engine = loaded.engine
            self._log.info(
                "Loaded a version",
                pipeline=pipeline,
                version=model.version,
                seconds=seconds,
                engine=engine.name,
                why=engine.why,
                direct=engine.direct,
                quick=loaded.quick,
            )
        finally:
            self._loading.discard(model.digest)
            self._ready()

    def _refuse(self, pipeline: str, model: ModelRef, error: Exception) -> None:
        before = self.refusals.get(pipeline)
        attempts = before.attempts + 1 if before is not None and before.digest == model.digest else 1
        wait = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** (attempts - 1))
        self._retry_at[model.digest] = time.monotonic() + wait
        self.refusals[pipeline] = Refusal(model.version, model.digest, str(error), datetime.now(UTC), attempts)
        reason = "digest" if isinstance(error, DigestMismatch) else "unreachable" if isinstance(error, OutsideError) else "broken"
        self._meters.load_failures.labels(pipeline, reason).inc()
        self._log.error(
            "A version is not loaded", pipeline=pipeline, version=model.version, reason=reason, error=str(error), retry_seconds=wait
        )


def _settle() -> None:
    """Take what is loaded out of the garbage collector's sight: a full collection over all libraries would hold up answers for 0.1 s."""
    gc.collect()
    gc.freeze()
