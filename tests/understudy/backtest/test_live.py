"""A backtest decides what the live path decides: the same rows through the real traffic log, the real ledger and the real tick."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adapters.ledger import Ledger
from adapters.settings import Settings
from adapters.traffic_log import TrafficLog, epoch_us
from contracts.events import Cause, Severity, Trigger
from contracts.package import ONNX, PARITY, package_digest
from contracts.rollout import Act, GatewayView, ModelRef, Phase, ShadowView
from contracts.traffic import AnsweredBatch, FeedbackBatch, ShadowBatch
from contracts.verdict import Outcome, worst
from flows.stages.evaluate import evaluate_stage
from flows.stages.fit import fit_stage
from flows.stages.gate import gate_stage
from flows.stages.ingest import ingest
from flows.stages.monitor import monitor
from flows.stages.tick import decide
from flows.stages.work import Work
from rollout.reconcile import desired_aliases
from rollout.settle import settle
from tests.http_recorder import answering
from tests.understudy.backtest.tiny import CALENDAR, DAY, SHIFT, SPEC, STEP, rows, settings_of, world_of
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
    frame: pd.DataFrame
    versions: dict[str, Version] = field(default_factory=dict)
    epochs: dict[int, tuple[str, int]] = field(default_factory=dict)  # by row: who answered, under which epoch
    followed: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    rehearses_from: dict[int, int] = field(default_factory=dict)
    labelled: int = 0
    warned: int = 0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.settings.ledger_url)
        self.log = TrafficLog(self.settings.traffic / "tiny")
        self.labelled = self.next = self.world.upto(SHORT.start)

    def run(self) -> None:
        self.refit(SHORT.start, Trigger(Cause.OPERATOR, "the first model", "backtest"))
        for number, at in enumerate(SHORT.looks):
            if number and self.policy.is_due(at, SHORT.start, STEP, at):
                self.refit(at, Trigger(Cause.SCHEDULE, f"policy {self.policy.name}", "backtest"))
            elif number and self.policy.drift:
                self.watch(at, number)
            self.play(at, min(at + STEP, SHORT.until))

    def watch(self, at: datetime, number: int) -> None:
        """Run the real monitor; where the receiver of its alert took it, refit for the reason that it gave."""
        seen = monitor(self.settings, self.world.pipeline, self.ledger, f"run-{number}")
        self.warned += sum(one.severity is Severity.WARN and one.monitor == "data_drift" for one in seen.findings)
        if seen.notified and seen.alert is not None:
            graves = [one.reason for one in seen.alert.findings if one.severity is Severity.RETRAIN]
            self.refit(at, Trigger(Cause.DRIFT, "; ".join(graves), "backtest"))  # a walk has no warnings to add

    def refit(self, at: datetime, trigger: Trigger) -> None:
        """Every stage of the live retrain, from the source to the gates; what it fits has the bytes that the walk's fit has."""
        champion, known = self.ledger.state("tiny").champion, self.world.fitted(at)
        snapshot = ingest(self.settings, self.world.pipeline, at).snapshot
        work = self.settings.home / "work" / known.model.version
        work.mkdir(parents=True)
        fitted = fit_stage(self.settings, self.world.pipeline, snapshot.id, work)
        files = {path.name: path.read_bytes() for path in Work(work).package.iterdir() if path.name not in {ONNX, PARITY}}
        assert (package_digest(files), fitted.cutoff) == (
            known.model.digest,
            known.model.cutoff,
        )  # a walk proves nothing of ONNX
        verdicts = gate_stage(self.world.pipeline, evaluate_stage(self.settings, self.world.pipeline, fitted, champion, work), work)
        model = ModelRef(known.model.version, fitted.digest, Work(work).package.as_uri(), snapshot.id, fitted.cutoff)
        self.versions[model.version] = known
        if worst(verdicts) is Outcome.PASS:
            self.ledger.submit("tiny", model, verdicts, trigger)
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
            self.log.append(
                AnsweredBatch("tiny", who, epoch, "champion", 1, 0, 1000, [str(row)], [0], [at], [None], self.asked(row), answer)
            )
        known = range(self.labelled, min(self.world.known(until), fresh.stop))
        self.labelled = max(self.labelled, known.stop)
        labels = [float(self.world.labels.iloc[row]) for row in known]
        names, at_once = [str(row) for row in known], epoch_us(until)
        if names:
            count = len(names)
            self.log.append(FeedbackBatch("tiny", at_once, names, [0] * count, labels, [None] * count, [at_once] * count))

    def asked(self, row: int) -> dict[str, list[Any]]:
        return {name: [float(self.frame[name].iloc[row])] for name in ("x", "z")}

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
        settle(lambda: self.tick(now))

    def tick(self, now: datetime) -> Act:
        state = self.ledger.state("tiny")
        if state.champion is not None:
            self.ledger.report_gateway("tiny", GatewayView("g", state.epoch, state.champion.version, datetime.now(UTC)))
        self.follow()
        aliases = desired_aliases(self.ledger.state("tiny"))
        return decide(self.settings, self.world.pipeline, lambda: aliases, self.ledger, now).decision.act


@pytest.mark.parametrize(
    ("named", "acts"),
    [
        ("every:4d", {Act.BOOTSTRAP, Act.START, Act.SUPERSEDE, Act.PROMOTE, Act.WATCH, Act.FINISH}),
        ("drift", {Act.BOOTSTRAP, Act.START, Act.PROMOTE, Act.WATCH, Act.FINISH}),
    ],
)
def test_a_backtest_decides_what_the_live_path_decides_on_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, acts: set[Act]
) -> None:
    frame, policy = rows(), parse_policy(named, STEP)
    world = world_of(tmp_path, frame, monkeypatch)
    walked = Walk(world, policy, SHORT, world.spec.rollout).run()
    with answering((202, {"flow_run": "a run", "reason": "started"})) as receiver:
        live = Live(world, replace(settings_of(tmp_path), webhook_url=receiver.url, webhook_secret="not-a-secret-in-a-test"), policy, frame)
        live.run()
        sent = len(receiver.calls)
    found = list(reversed(live.ledger.decisions("tiny", limit=10_000)))
    live.ledger.close()
    said = [(one.at, one.act, one.version, one.reason, one.verdicts) for one in walked.decided]
    assert [(one.clock, one.act, one.version, one.reason, one.verdicts) for one in found] == said
    assert acts <= {one.act for one in walked.decided}
    assert walked.memory.end == live.next > world.upto(SHIFT + 3 * DAY)
    assert sent == sum(one.cause == "drift" for one in walked.refits) == (0 if named == "every:4d" else len(walked.refits) - 1)


def test_inputs_that_move_while_the_error_stays_refit_nothing_live_or_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, draw = rows(), np.random.default_rng(2)
    frame["x"] += np.where(pd.to_datetime(frame["at"]) >= SHIFT, 5.0, 0.0)
    frame["y"] = 20 + 4 * frame["x"] + frame["z"] + draw.normal(size=len(frame))
    monitors = {name: value for name, value in SPEC["monitors"].items() if name != "max_age"} | {"min_rows": 40}
    spec = {**SPEC, "monitors": monitors}
    world, policy = world_of(tmp_path, frame, monkeypatch, spec), parse_policy("drift", STEP)
    walked = Walk(world, policy, SHORT, world.spec.rollout).run()
    with answering((202, {"flow_run": "a run", "reason": "started"})) as receiver:
        live = Live(
            world, replace(settings_of(tmp_path, spec), webhook_url=receiver.url, webhook_secret="not-a-secret-in-a-test"), policy, frame
        )
        live.run()
        live.ledger.close()
        assert receiver.calls == []
    assert live.warned > 0  # the raw alarm was there, and nobody was asked to refit
    assert len(walked.refits) == 1
