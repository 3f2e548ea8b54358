"""What no decision may break, whatever came before it; asked of every decision of every random world before it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.events import IntentKind
from contracts.rollout import Act, Decision, Evidence, Phase, RolloutState
from contracts.spec import RolloutSpec
from contracts.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Measurement:
    """What was measured, about whom, under which epoch."""

    epoch: int
    judged: str
    verdict: Verdict


def moved(before: RolloutState, decision: Decision) -> None:
    """Exactly one champion, replaced only by those who may; each change of exposure has an epoch of its own."""
    after, act = decision.state, decision.act
    assert after.revision == before.revision + 1
    exposed = replace(after.route, epoch=0) != replace(before.route, epoch=0)
    assert after.epoch == before.epoch + 1 or (after.epoch == before.epoch and not exposed), "exposure changed under the same epoch"
    assert before.champion is None or after.champion is not None, "nobody answers users any more"
    assert after.champion is None or after.champion != after.candidate, "champion and candidate at once"
    if after.champion != before.champion:
        successor = {Act.BOOTSTRAP: None, Act.PROMOTE: before.candidate, Act.ROLLBACK: before.previous}
        assert act in successor, f"{act.value} changed the champion"
        assert before.champion is None if act is Act.BOOTSTRAP else after.champion == successor[act]
    _met_by_users(before, decision)


def _met_by_users(before: RolloutState, decision: Decision) -> None:
    after = decision.state
    arms = {arm.model for arm in after.route.arms}
    assert not arms or after.phase is Phase.RUNNING or after.paused_from is Phase.RUNNING, "a split outlives its rollout"
    assert not arms or (after.champion in arms and abs(sum(arm.share for arm in after.route.arms) - 1) < 1e-9)
    assert arms <= {before.champion, before.candidate, before.previous}, "users meet a version of no rollout"
    if arms and not before.route.arms:
        assert decision.act in {Act.ADVANCE, Act.EXPOSE}, f"{decision.act.value} showed a candidate to users"


def earned(spec: RolloutSpec, before: RolloutState, decision: Decision, evidence: Evidence, known: Sequence[Measurement]) -> None:
    """Nobody goes on without a PASS measured under the epoch in force, about this very candidate; a person may on their own word."""
    asked = next((one.kind for one in evidence.intents if one.id in decision.intents), None)
    if decision.act not in {Act.ADVANCE, Act.PROMOTE} or (decision.act is Act.PROMOTE and asked is IntentKind.PROMOTE):
        return
    assert decision.verdicts, "nothing was measured"
    for verdict in decision.verdicts:
        found = next(one for one in known if one.verdict.reason == verdict.reason)
        assert found.verdict.outcome is Outcome.PASS
        assert found.epoch == before.epoch, "evidence of another epoch"
        assert before.candidate is not None
        assert found.judged == before.candidate.version, "evidence about another version"
    if decision.act is Act.PROMOTE:
        assert min(before.stage or 0, len(spec.stages) - 1) == len(spec.stages) - 1, "a stage was left out"
        assert spec.promotion == "automatic" or (before.approval is not None and before.approval.by is not None), "nobody said yes"
