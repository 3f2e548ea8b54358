"""The ticks of a walk: what is remembered and seen, through the same contest, assess and reconcile as the live tick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.events import Trigger
from contracts.rollout import (
    Act,
    Decision,
    Evidence,
    GatewayView,
    Phase,
    RolloutState,
    ShadowView,
    Submission,
    fresh_state,
)
from contracts.spec import RolloutSpec
from contracts.verdict import Verdict
from flows.stages.evidence import weighed
from rollout.assess import assess
from rollout.contest import Contest, contest_of, follows
from rollout.reconcile import desired_aliases, reconcile
from rollout.rules import rules_of
from rollout.settle import settle
from understudy.backtest.memory import Memory
from understudy.backtest.world import Version, World


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, and when it was taken in simulated time."""

    at: datetime
    act: Act
    version: str | None
    reason: str
    verdicts: tuple[Verdict, ...] = ()


class Ticks:
    """One policy's rollout, with no server: gateways and shadow follow at once, and nobody else moves an alias.

    Attributes:
        state: where the rollout stands. decided: what was decided so far, oldest first.
    """

    def __init__(self, world: World, memory: Memory, spec: RolloutSpec) -> None:
        self._world, self._memory, self._spec = world, memory, spec
        self._waiting: tuple[Submission, ...] = ()
        self._asked = 0
        self.state: RolloutState = fresh_state(world.spec.name)
        self.decided: list[Decided] = []

    @property
    def at_rest(self) -> bool:
        """Whether nothing is judged and nobody waits."""
        return self.state.phase is Phase.IDLE and not self._waiting

    def submit(self, version: Version, gates: tuple[Verdict, ...], trigger: Trigger, now: datetime) -> None:
        """Ask that a version become champion."""
        self._asked += 1
        asked = Submission(self._asked, self._memory.meet(version).model, now, trigger.cause.value, trigger.reason, trigger.actor, gates)
        self._waiting = (*self._waiting, asked)

    def begin_anew(self) -> None:
        """Forget the champion, so that the next version becomes the first one: what the oracle does."""
        self.state = replace(fresh_state(self.state.pipeline), route=replace(self.state.route, champion=None, shadow=None))

    def settle(self, now: datetime) -> None:
        """Tick until nothing more happens."""
        settle(lambda: self._tick(now))

    def _tick(self, now: datetime) -> Act:
        decision = reconcile(self._spec, self.state, self._evidence(now), now)
        if decision.act is not Act.HOLD:
            self._keep(decision, now)
        return decision.act

    def _keep(self, decision: Decision, now: datetime) -> None:
        self.state = decision.state
        self._waiting = tuple(one for one in self._waiting if one.id not in decision.submissions)
        self.decided.append(Decided(now, decision.act, decision.version, decision.reason, decision.verdicts))

    def _evidence(self, now: datetime) -> Evidence:
        state = self.state
        views = () if state.champion is None else (GatewayView("simulated", state.epoch, state.champion.version, now),)
        contest = contest_of(state)
        verdicts = () if contest is None else self._verdicts(contest, now)
        return Evidence(state.epoch, desired_aliases(state), self._waiting, (), views, None, verdicts)

    def _verdicts(self, contest: Contest, now: datetime) -> tuple[Verdict, ...]:
        spec, state = self._world.spec, self.state
        heard = self._memory.heard(contest, self._spec.shadow_at(state.stage or 0).rehearse, now)
        shadow = ShadowView(contest.follower.version, contest.epoch, 0, 0.0, max(len(heard.judged), len(heard.against)), now)
        at_work = follows(contest, shadow, None, now, now)
        judged, against = (self._memory.version(one.version).package.manifest.classes for one in (contest.judged, contest.against))
        rules = rules_of(self._spec, state)
        known_by = now - spec.columns.labels_due
        return weighed(lambda: assess(contest, heard, rules, spec.task, (judged, against), known_by), at_work)[0]
