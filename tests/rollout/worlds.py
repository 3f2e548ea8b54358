"""Random worlds around reconcile: a ledger that swaps by revision, a registry, gateways, two reconcilers, and people who meddle.

A world is a list of events, each a name and a number that says the rest, so that a world that breaks a promise can be made smaller by
leaving events out, and played again. A reconciler looks, saves and acts in separate events; between them anything may happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from contracts.events import Intent, IntentKind
from contracts.rollout import Act, Aliases, Decision, Evidence, GatewayView, ModelRef, Phase, RolloutState, Route, Submission, fresh_state
from contracts.spec import RolloutSpec
from contracts.verdict import Outcome, Verdict
from rollout.contest import contest_of
from rollout.exposure import exposure_of
from rollout.reconcile import desired_aliases, reconcile
from tests.rollout.promises import Measurement, earned, moved

START = datetime(2026, 1, 1, tzinfo=UTC)
Event = tuple[str, int]
_SHADOW = {"kind": "shadow", "loss": "absolute_error", "max_duration": "14d"}
_AB = {"kind": "ab", "share": 0.25, "reward": "profit", "min_duration": "1d"}
_BANDIT = {
    "kind": "bandit",
    "share": 0.3,
    "reward": "profit",
    "floor": 0.1,
    "reallocate": "1h",
    "with_previous": True,
    "on_timeout": "pause",
}
SPECS = [
    RolloutSpec.model_validate({"stages": stages, "max_errors": 2, **more})
    for stages in ([_SHADOW], [_SHADOW, _SHADOW], [_SHADOW, _AB], [_SHADOW, _AB, _BANDIT])
    for more in ({}, {"promotion": "manual", "approval": {"expires": "2d"}}, {"promotion": "manual", "approval": {"then": "pause"}})
]
_OUTCOMES = [*[Outcome.PASS] * 6, *[Outcome.INCONCLUSIVE] * 2, Outcome.ERROR, Outcome.FAIL, None]
_DAYS = [0, 0, 0, 1, 1, 1, 2, 2, 3, 5, 20, -1, -400]
_PATIENCE = 40  # ticks of three days: two rollouts, one after the other, that say nothing until their time is up
_WISHES = [*IntentKind, *[IntentKind.APPROVE] * 4, *[IntentKind.RESUME] * 2]
_BEGUN = [("submit", 0), ("tick", 0), ("follow", 3), ("submit", 0), ("tick", 0), ("follow", 3), ("measure", 0)]  # someone rehearses
_WEIGHTS = {
    "tick": 50, "look": 12, "save": 14, "act": 8, "crash": 3, "measure": 10, "submit": 5, "follow": 40, "gateway": 2, "old route": 2,
    "stale": 4, "foreign": 1, "away": 2, "operator": 5, "clock": 14, "skew": 1, "respec": 1,
}  # fmt: skip


def model(version: int) -> ModelRef:
    return ModelRef(str(version), f"digest-{version}", f"file:///models/{version}", "s1", START)


def draw(seed: int) -> list[Event]:
    """Return the events of one world."""
    random = Random(seed)
    names = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=random.randrange(20, 120))
    begun = _BEGUN if seed % 4 else []
    return [("respec", random.randrange(1 << 16)), *begun, *((name, random.randrange(1 << 16)) for name in names)]


def smallest(events: list[Event], breaks: Callable[[list[Event]], bool]) -> list[Event]:
    """Return what is left of a world that breaks a promise when every event that is not needed for it is left out."""
    size = len(events) // 2
    while size:
        at = 0
        while at < len(events):
            fewer = events[:at] + events[at + size :]
            if breaks(fewer):
                events = fewer
            else:
                at += size
        size //= 2
    return events


@dataclass
class Reconciler:
    """A process that ticks: what it saw, and what it saved but has not carried out."""

    skew: timedelta = timedelta()
    seen: tuple[RolloutSpec, RolloutState, Evidence, datetime] | None = None
    saved: tuple[Decision, Evidence] | None = None


@dataclass
class World:
    """Everything around reconcile; each event is a method of its name."""

    spec: RolloutSpec = SPECS[0]
    now: datetime = START
    state: RolloutState = field(default_factory=lambda: fresh_state("p"))
    aliases: Aliases = field(default_factory=Aliases)
    registry_away: bool = False
    gateways: dict[int, Route] = field(default_factory=lambda: {0: Route(0, None, None), 1: Route(0, None, None)})
    reconcilers: tuple[Reconciler, Reconciler] = field(default_factory=lambda: (Reconciler(), Reconciler()))
    routes: dict[int, Route] = field(default_factory=lambda: {0: Route(0, None, None)})  # every route there ever was, by epoch
    waiting: list[Submission] = field(default_factory=list)
    wishes: list[Intent] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    taken_up: set[int] = field(default_factory=set)
    acts: list[Act] = field(default_factory=list)
    outcome: Outcome | None = None
    measured: list[Measurement] = field(default_factory=list)
    remembered: Measurement | None = None
    versions: int = 0
    asked: int = 0
    lost_swaps: int = 0

    def play(self, events: list[Event]) -> None:
        for name, number in events:
            getattr(self, name.replace(" ", "_"))(number)

    def survive(self, events: list[Event]) -> None:
        """Play, then see whether it ends."""
        self.play(events)
        self.calm()

    # --- the reconcilers -------------------------------------------------------------------------------------------------------------

    def tick(self, number: int) -> None:
        for step in (self.look, self.save, self.act):
            step(number)

    def look(self, number: int) -> None:
        one = self.reconcilers[number % 2]
        one.seen = (self.spec, self.state, self._evidence(), self.now + one.skew)

    def save(self, number: int) -> None:
        """Decide on what was seen, however long ago, and swap; who comes second loses, and looks again at its next tick."""
        one = self.reconcilers[number % 2]
        if one.seen is None:
            return
        spec, before, evidence, now = one.seen
        one.seen = None
        decision = reconcile(spec, before, evidence, now)
        if decision.act is not Act.HOLD:
            if before.revision != self.state.revision:
                self.lost_swaps += 1
                return
            moved(before, decision)
            earned(spec, before, decision, evidence, self.measured)
            self._swap(decision)
        one.saved = (decision, evidence)

    def act(self, number: int) -> None:
        """Carry out what was saved; unless it dies it may do so again, and late."""
        one = self.reconcilers[number % 2]
        if one.saved is None or self.registry_away:
            return
        decision, evidence = one.saved
        wanted = desired_aliases(decision.state)
        if wanted.champion is not None and wanted != evidence.aliases:
            self.aliases = wanted

    def crash(self, number: int) -> None:
        self.reconcilers[number % 2].seen = self.reconcilers[number % 2].saved = None

    def skew(self, number: int) -> None:
        self.reconcilers[number % 2].skew = timedelta(seconds=number % 240 - 120)

    def _swap(self, decision: Decision) -> None:
        self.state = decision.state
        self.acts.append(decision.act)
        known = self.routes.setdefault(self.state.epoch, self.state.route)
        assert known == self.state.route, "two routes, perhaps two champions, under one epoch"
        self.waiting = [one for one in self.waiting if one.id not in decision.submissions]
        self.wishes = [one for one in self.wishes if one.id not in decision.intents]
        assert not self.answered & set(decision.intents), "a wish was answered twice"
        assert not self.taken_up & set(decision.submissions), "a version was taken up twice"
        self.answered |= set(decision.intents)
        self.taken_up |= set(decision.submissions)

    # --- what is seen ------------------------------------------------------------------------------------------------------------------

    def _evidence(self) -> Evidence:
        known = self._measurement()
        epoch, verdicts = (known.epoch, (known.verdict,)) if known else (self.state.epoch, ())
        if self.wishes:  # answered before anything else is looked at
            return Evidence(epoch, intents=tuple(self.wishes), verdicts=verdicts)
        views = [
            GatewayView(str(name), route.epoch, route.champion.version, self.now)
            for name, route in self.gateways.items()
            if route.champion is not None
        ]
        share = 0.1 + len(self.acts) % 8 / 10
        return Evidence(
            epoch,
            Aliases() if self.registry_away else self.aliases,
            tuple(self.waiting),
            gateways=tuple(views),
            verdicts=verdicts,
            shares={"champion": 0.9 - share, "candidate": share, "previous": 0.1},
        )

    def _measurement(self) -> Measurement | None:
        """Measure now; or see what was measured long ago, under whatever epoch."""
        if self.remembered is not None:
            known, self.remembered = self.remembered, None
            return known
        contest = contest_of(self.state) or exposure_of(self.state)
        if contest is None or self.outcome is None:
            return None
        said = Verdict("paired", self.outcome, 1.0, 0.0, 20, f"measurement {len(self.measured)}")
        self.measured.append(Measurement(self.state.epoch, contest.judged.version, said))
        return self.measured[-1]

    def measure(self, number: int) -> None:
        self.outcome = _OUTCOMES[number % len(_OUTCOMES)]

    def stale(self, number: int) -> None:
        """The next look is answered from memory."""
        self.remembered = self.measured[number % len(self.measured)] if self.measured else None

    def old_route(self, number: int) -> None:
        """A gateway comes back with a route that it kept."""
        self.gateways[number % 2] = self.routes[sorted(self.routes)[(number >> 1) % len(self.routes)]]

    # --- everybody else ----------------------------------------------------------------------------------------------------------------

    def submit(self, number: int) -> None:
        self.versions += 1
        self.waiting.append(Submission(self.versions, model(self.versions), self.now, "schedule", "due", "cron"))

    def follow(self, number: int) -> None:
        """One gateway takes the route, or all do."""
        for name in [number % 5] if number % 5 in self.gateways else self.gateways:
            self.gateways[name] = self.state.route

    def gateway(self, number: int) -> None:
        """One more, or one less."""
        if number % 3 in self.gateways:
            del self.gateways[number % 3]
        else:
            self.gateways[number % 3] = Route(0, None, None)

    def foreign(self, number: int) -> None:
        """Somebody moves aliases by hand, to a version of this rollout or to one that it never heard of."""
        version = [None, "77", *map(str, range(1, self.versions + 1))][number % (self.versions + 2)]
        self.aliases = replace(self.aliases, **{("champion", "candidate", "previous")[number % 3]: version})

    def away(self, number: int) -> None:
        self.registry_away = number % 4 == 0

    def operator(self, number: int) -> None:
        kind = _WISHES[number % len(_WISHES)]
        about = [None, None, None, None, *map(str, range(1, self.versions + 1))][(number >> 4) % (self.versions + 4)]
        self.asked += 1
        self.wishes.append(Intent(self.asked, kind, "ada", "I say so", self.now, about))

    def clock(self, number: int) -> None:
        self.now += timedelta(days=_DAYS[number % len(_DAYS)], minutes=(number >> 4) % 90)

    def respec(self, number: int) -> None:
        self.spec = SPECS[number % len(SPECS)]

    # --- the end -----------------------------------------------------------------------------------------------------------------------

    def calm(self) -> int:
        """Let nobody meddle any more, measure nothing, and tick until a rollout rests; return after how many ticks it does."""
        self.registry_away = False
        self.remembered = self.outcome = None
        for one in self.reconcilers:
            one.seen, one.saved, one.skew = None, None, timedelta()
        for count in range(_PATIENCE + len(self.wishes)):
            self.follow(3)  # all of them
            self.now += timedelta(days=3)
            self.tick(count)
            if self.at_rest:
                return count
        raise AssertionError(f"after {_PATIENCE} calm ticks the rollout is still {self.state.phase.value}")

    @property
    def at_rest(self) -> bool:
        """Idle with nobody waiting, or paused; and registry and gateways say what the ledger says."""
        resting = (self.state.phase is Phase.IDLE and not self.waiting) or self.state.phase is Phase.PAUSED
        told = self.state.champion is None or self.aliases == desired_aliases(self.state)
        return resting and not self.wishes and told and all(route == self.state.route for route in self.gateways.values())
