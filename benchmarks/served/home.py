"""A home with versions and a route, and the gateway on it, as a tick would have left it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from adapters.ledger import Ledger
from adapters.package_store import write_package
from adapters.settings import Settings, read_settings
from benchmarks.served.models import Model
from contracts.package import package_digest
from contracts.rollout import Act, Decision, ModelRef, Phase, RolloutState, Route

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Home:
    """A folder with a ledger; versions are fetched from folders below it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, _settings(folder)
        self.ledger = Ledger(self.settings.ledger_url)
        self._revisions: dict[str, int] = {}

    def put(self, model: Model, version: str = "1") -> ModelRef:
        """Write a version into the folder that stands for the registry."""
        files = model.package()
        place = write_package(self.folder / "registry" / model.name / version, files)
        return ModelRef(version, package_digest(files), place.as_uri(), "s1", _NOW)

    def route(self, pipeline: str, champion: ModelRef, shadow: ModelRef | None = None) -> int:
        """Save the next route and return its epoch."""
        epoch = self._revisions[pipeline] = self._revisions.get(pipeline, 0) + 1
        state = RolloutState(pipeline, epoch, Phase.IDLE, Route(epoch, champion, shadow, (), "", epoch), champion_since=_NOW)
        self.ledger.save(Decision(Act.PROMOTE, state, f"epoch {epoch}", version=champion.version), _NOW)
        return epoch


def _settings(folder: Path) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    return read_settings(folder, folder / "pipelines")
