"""The monitors of a walk: error and age, and the alerts that come of them, as the live monitor judges them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from contracts.events import Alert
from contracts.rollout import RolloutState
from flows.stages.look import error_findings
from monitoring.age import champion_age
from monitoring.alerts import Situation, plan
from monitoring.severity import graded
from understudy.backtest.memory import Memory
from understudy.backtest.world import World


class Alarms:
    """One policy's alerts, kept in memory. Inputs and predictions are not looked at: they warn, and a warning refits nothing."""

    def __init__(self, world: World, memory: Memory) -> None:
        self._world, self._memory = world, memory
        self._alerts: dict[str, Alert] = {}

    def ask(self, state: RolloutState, now: datetime) -> str | None:
        """Look at the champion; return why a retrain is asked for, or None."""
        if state.champion is None:
            return None
        spec, champion = self._world.spec, self._memory.version(state.champion.version)
        classes = champion.package.manifest.classes
        errors = error_findings(spec, classes, champion.held_out, self._memory.answered_by(champion, now), now)
        findings = graded((*errors, *champion_age(state.champion_since, now, spec.monitors.max_age)), spec.monitors.severity)
        planned = plan(findings, self._situation(state, champion.model.version, now), spec.monitors.cooldown)
        for alert in planned.resolve:
            self._alerts[alert.id] = replace(alert, resolved_at=now)
        if planned.alert is None:
            return None
        taken = f"retrain at {now.isoformat()}" if planned.send else planned.alert.flow_run
        self._alerts[planned.alert.id] = replace(planned.alert, flow_run=taken)
        return planned.alert.summary if planned.send else None

    def _situation(self, state: RolloutState, champion: str, now: datetime) -> Situation:
        ever = tuple(self._alerts.values())
        standing = tuple(one for one in ever if one.resolved_at is None)
        since = state.phase_since if state.candidate is not None else None
        return Situation(state.pipeline, champion, standing, ever, since, now)
