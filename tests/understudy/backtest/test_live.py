"""A backtest decides what the live path decides: the same rows through the real traffic log, the real ledger and the real tick."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.ledger import Ledger
from adapters.settings import Settings
from adapters.traffic_log import TrafficLog, epoch_us
from contracts.events import Cause, Trigger
from contracts.rollout import Act, GatewayView, ModelRef, Phase, ShadowView
from contracts.traffic import AnsweredBatch, FeedbackBatch, ShadowBatch
from contracts.verdict import Outcome, worst
from flows.stages.tick import decide
from rollout.reconcile import desired_aliases
from tests.understudy.backtest.tiny import CALENDAR, DAY, SHIFT, STEP, rows, settings_of, world_of
from understudy.backtest.policies import Policy, parse_policy
from understudy.backtest.walk import Calendar, Walk
from understudy.backtest.world import Version, World

# from before the shift to after it: promotions, a superseded candidate, watches that end
SHORT = Calendar(CALENDAR.start, SHIFT + 4 * DAY, STEP)


@dataclass
class Live:
    """The live path, driven by hand at the times at which a walk ticks; gateway and shadow process are played from their protocol."""

    world: World
    settings: Settings
    policy: Policy
    versions: dict[str, Version] = field(default_factory=dict)
    epochs: dict[int, tuple[str, int]] = field(default_factory=dict)  # by row: who answered, under which epoch
    followed: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    rehearses_from: dict[int, int] = field(default_factory=dict)
    labelled: int = 0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.settings.ledger_url)
        self.log = TrafficLog(self.settings.traffic / "tiny")
        self.labelled = self.next = self.world.upto(SHORT.start)

    def run(self) -> None:
        self.refit(SHORT.start, None)
        for number, at in enumerate(SHORT.looks):
            if number and self.policy.is_due(at, SHORT.start, STEP, at):
                champion = self.ledger.state("tiny").champion
                self.refit(at, None if champion is None else self.versions[champion.version])
            self.play(at, min(at + STEP, SHORT.until))

    def refit(self, at: datetime, champion: Version | None) -> None:
        version = self.world.fitted(at)
        self.versions[version.model.version] = version
        verdicts = self.world.judged(version, champion)
        if worst(verdicts) is Outcome.PASS:
            cause = Cause.SCHEDULE if champion else Cause.OPERATOR
            reason = f"policy {self.policy.name}" if champion else "the first model"
            self.ledger.submit("tiny", version.model, verdicts, Trigger(cause, reason, "backtest"))
            self.settle(at)

    def play(self, begin: datetime, end: datetime) -> None:
        at = begin
        while at < end:
            at = end if self.at_rest else min(at + STEP / 7, end)
            self.serve(at)
            if not self.at_rest:
                self.settle(at)

    @property
    def at_rest(self) -> bool:
        return self.ledger.state("tiny").phase is Phase.IDLE and not self.ledger.submissions("tiny")

    def serve(self, until: datetime) -> None:
        state = self.ledger.state("tiny")
        assert state.champion is not None
        fresh = range(self.next, self.world.upto(until))
        self.next = fresh.stop
        for row in fresh:
            self.epochs[row] = (state.champion.version, state.epoch)
            answer = self.said(state.champion, [row])
            at = int(self.world.times[row].astype("int64"))
            who, epoch = state.champion.version, state.epoch
            self.log.append(AnsweredBatch("tiny", who, epoch, "champion", 1, 0, 1000, [str(row)], [0], [at], [None], {}, answer))
        known = range(self.labelled, min(self.world.known(until), fresh.stop))
        self.labelled = max(self.labelled, known.stop)
        labels = [float(self.world.labels.iloc[row]) for row in known]
        names, at_once = [str(row) for row in known], epoch_us(until)
        if names:
            count = len(names)
            self.log.append(FeedbackBatch("tiny", at_once, names, [0] * count, labels, [None] * count, [at_once] * count))

    def said(self, model: ModelRef, numbers: list[int]) -> list[Any]:
        answers: list[Any] = self.world.answers(self.versions[model.version], np.array(numbers, dtype=int)).tolist()
        return answers

    def follow(self) -> None:
        """What the shadow process writes: its version's answers, and the champion's where another version answered live."""
        state = self.ledger.state("tiny")
        shadow, champion = state.route.shadow, state.champion
        if shadow is None or champion is None:
            return
        served = sorted(self.epochs)
        if state.phase is Phase.RUNNING:
            newest = self.world.times[served[-1]]
            rehearse = np.timedelta64(round(self.world.spec.rollout.shadows[0].rehearse.total_seconds() * 1e6), "us")
            first = self.rehearses_from.setdefault(state.epoch, int(np.searchsorted(self.world.times, newest - rehearse)))
            mine = [row for row in served if row >= max(first, self.world.upto(shadow.cutoff))]
            others = [row for row in mine if self.epochs[row][0] != champion.version and row >= self.world.upto(champion.cutoff)]
            self.answer(champion, state.epoch, others)
        else:
            mine = [row for row in served if self.epochs[row][1] == state.epoch]
        count = self.answer(shadow, state.epoch, mine)
        self.ledger.report_shadow("tiny", ShadowView(shadow.version, state.epoch, 0, 0.0, count, datetime.now(UTC)))

    def answer(self, model: ModelRef, epoch: int, numbers: list[int]) -> int:
        done = self.followed.setdefault((model.version, epoch), set())
        fresh = [row for row in numbers if row not in done]
        done.update(fresh)
        if fresh:
            names = [str(row) for row in fresh]
            self.log.append(ShadowBatch("tiny", model.version, epoch, 0, 1000, names, [0] * len(names), self.said(model, fresh)))
        return len(done)

    def settle(self, now: datetime) -> None:
        for _ in range(12):
            state = self.ledger.state("tiny")
            if state.champion is not None:
                self.ledger.report_gateway("tiny", GatewayView("g", state.epoch, state.champion.version, datetime.now(UTC)))
            self.follow()
            done = decide(self.settings, self.world.pipeline, lambda: desired_aliases(self.ledger.state("tiny")), self.ledger, now)
            if done.decision.act is Act.HOLD:
                return


def test_a_backtest_decides_what_ticks_on_the_real_log_and_ledger_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(tmp_path, rows(), monkeypatch)
    policy = parse_policy("every:4d", STEP)
    walked = Walk(world, policy, SHORT, world.spec.rollout).run()
    live = Live(world, settings_of(tmp_path), policy)
    live.run()
    found = list(reversed(live.ledger.decisions("tiny", limit=10_000)))
    live.ledger.close()
    said = [(one.at, one.act, one.version, one.reason, one.verdicts) for one in walked.decided]
    assert [(one.clock, one.act, one.version, one.reason, one.verdicts) for one in found] == said
    assert {Act.BOOTSTRAP, Act.START, Act.SUPERSEDE, Act.PROMOTE, Act.WATCH, Act.FINISH} <= {one.act for one in walked.decided}
    assert walked.memory.end == live.next > world.upto(SHIFT + 3 * DAY)
