"""A home with versions and a route, and the gateway on it, as a tick would have left it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from adapters.ledger import Ledger
from adapters.package_store import write_package
from adapters.settings import Settings, read_settings
from benchmarks.served.models import Model
from contracts.events import IntentKind
from contracts.package import package_digest
from contracts.rollout import Act, Decision, Evidence, ModelRef, Phase, RolloutState, Route
from contracts.spec import RolloutSpec
from rollout.intents import promote
from rollout.reconcile import reconcile

_SPEC = RolloutSpec.model_validate({"stages": [{"kind": "shadow", "loss": "brier"}]})
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

    def promote(self, pipeline: str, candidate: ModelRef) -> int:
        """Decide, as a tick does, that a candidate becomes champion, and return the epoch."""
        state = replace(self.ledger.state(pipeline), phase=Phase.RUNNING, stage=0, candidate=candidate)
        return self._save(promote(state, datetime.now(UTC), "it is better"))

    def roll_back(self, pipeline: str) -> int:
        """Ask as an operator for the previous champion, let the next tick's decision answer, and return the epoch."""
        self.ledger.add_intent(pipeline, IntentKind.ROLLBACK, "operator", "it is worse")
        state = self.ledger.state(pipeline)
        return self._save(reconcile(_SPEC, state, Evidence(state.epoch, intents=self.ledger.intents(pipeline)), datetime.now(UTC)))

    def _save(self, decision: Decision) -> int:
        self.ledger.save(decision, datetime.now(UTC))
        return decision.state.epoch


def _settings(folder: Path) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    return read_settings(folder, folder / "pipelines")
