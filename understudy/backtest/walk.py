"""One policy walks through history: serve, tick, look, refit; then the next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts.errors import UsageError
from contracts.events import Cause, Trigger
from contracts.rollout import Phase
from contracts.spec import RolloutSpec
from contracts.verdict import Outcome, Verdict, worst
from training.windows import Tried
from understudy.backtest.alarms import Alarms
from understudy.backtest.memory import Memory
from understudy.backtest.policies import Policy
from understudy.backtest.ticks import Decided, Ticks
from understudy.backtest.world import World

_TICKS = 7  # in a step, while a rollout is under way


@dataclass(frozen=True, slots=True)
class Refit:
    """A retrain: when, why, on which window, and whether its offline gates let it through.

    Attributes:
        tried: what each of several windows was worth. seconds: that the fit takes on this machine.
    """

    at: datetime
    cause: str
    reason: str
    version: str
    passed: bool
    verdicts: tuple[Verdict, ...]
    window: str
    tried: tuple[Tried, ...] = ()
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Walked:
    """What a policy did.

    Attributes:
        refits: all of them, the first model too.
        memory: who answered which row.
        paused: whether it ended paused, waiting for an operator whom no walk has.
    """

    policy: Policy
    refits: list[Refit]
    decided: list[Decided]
    memory: Memory
    paused: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """When the walk looks: from `start` in equal steps; the last one ends at or after `until`."""

    start: datetime
    until: datetime
    step: timedelta

    @property
    def looks(self) -> list[datetime]:
        """The times at which a policy is asked; the start first, and the end not among them."""
        count = -((self.start - self.until) // self.step)
        return [self.start + number * self.step for number in range(count)]


@dataclass
class Walk:
    """One policy on its way.

    Args:
        spec: the rollout's.
        tell: takes how many steps are done, and how many there are.
    """

    world: World
    policy: Policy
    calendar: Calendar
    spec: RolloutSpec
    tell: Callable[[int, int], None] = lambda _done, _of: None
    refits: list[Refit] = field(default_factory=list)

    def run(self) -> Walked:
        """Walk to the end.

        Raises:
            UsageError: nothing can be fitted at the start, or the first model does not meet its gates.
        """
        self.memory = Memory(self.world, self.calendar.start)
        self.ticks = Ticks(self.world, self.memory, self.spec)
        self.alarms = Alarms(self.world, self.memory)
        self._first()
        looks = self.calendar.looks
        for number, at in enumerate(looks):
            if number:
                self._look(at)
            self._play(at, min(at + self.calendar.step, self.calendar.until))
            self.tell(number + 1, len(looks))
        return Walked(self.policy, self.refits, self.ticks.decided, self.memory, self.ticks.state.phase is Phase.PAUSED)

    def _first(self) -> None:
        at = self.calendar.start
        self._refit(at, Trigger(Cause.OPERATOR, "the first model", "backtest"))
        if self.ticks.state.champion is None:
            said = "; ".join(one.reason for one in self.refits[0].verdicts if one.outcome is not Outcome.PASS)
            raise UsageError(f"The model of {at:%Y-%m-%d} does not meet its gates: {said}.", "Begin at another time: --from DATE.")

    def _play(self, begin: datetime, end: datetime) -> None:
        """Serve a step; while a rollout is under way with ticks in between."""
        at = begin
        while at < end:
            at = end if self.ticks.at_rest else min(at + self.calendar.step / _TICKS, end)
            state = self.ticks.state
            if state.champion is not None:
                self.memory.serve(state.champion.version, state.epoch, at)
            if not self.ticks.at_rest:
                self.ticks.settle(at)

    def _look(self, at: datetime) -> None:
        """Ask the calendar, then the monitors; refit where one of them wants it."""
        if self.policy.is_due(at, self.calendar.start, self.calendar.step, self.refits[-1].at):
            self._refit(at, Trigger(Cause.SCHEDULE, f"policy {self.policy.name}", "backtest"))
        elif self.policy.drift:
            reason = self.alarms.ask(self.ticks.state, at)
            if reason is not None:
                self._refit(at, Trigger(Cause.DRIFT, reason, "backtest"))

    def _refit(self, at: datetime, trigger: Trigger) -> None:
        version, state = self.world.fitted(at), self.ticks.state
        if version.model.version == (self.refits[-1].version if self.refits else None):
            return  # no new row: a retrain would fit nothing
        if self.policy.oracle:
            self.ticks.begin_anew()
        champion = self.memory.version(state.champion.version) if state.champion and not self.policy.oracle else None
        verdicts = () if self.policy.oracle and self.refits else self.world.judged(version, champion)
        passed = worst(verdicts) is Outcome.PASS or (self.policy.oracle and bool(self.refits))
        how = (version.window, version.tried, version.seconds)
        self.refits.append(Refit(at, trigger.cause.value, trigger.reason, version.model.version, passed, verdicts, *how))
        if passed:
            self.ticks.submit(version, verdicts, trigger, at)
            self.ticks.settle(at)
