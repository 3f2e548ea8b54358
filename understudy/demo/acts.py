"""The acts of the demonstration, in order; each uses only what an operator has: flows, requests, commands."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from contracts.errors import OutsideError
from contracts.rollout import Act, DecisionRecord, Phase
from contracts.verdict import Outcome
from understudy.demo.story import ConfidencePath
from understudy.demo.theatre import Theatre


def first_champion(stage: Theatre) -> None:
    """Ingest history, fit, pass the absolute gates, register version 1 and let it answer users."""
    stage.story.chapter("The first model learns the part")
    until = stage.script.history_until.isoformat()
    parameters = {"until": until, "reason": "the first model, from history", "cause": "operator", "actor": "demonstration"}
    run = stage.run("retrain", parameters)
    _tell_submission(stage, run.url)
    rollout(stage)
    if stage.state.champion is None:
        raise OutsideError("The first version was not made champion.", f"See: understudy history {stage.name}")


def rollout(stage: Theatre) -> None:
    """Run ticks until nothing more happens, and tell each decision."""
    known = {one.id for one in stage.ledger.decisions(stage.name, limit=10_000)}
    state = stage.state
    if state.phase is Phase.RUNNING and state.candidate is not None:
        stage.await_rehearsal(state.candidate.version)
    stage.run("rollout")
    fresh = [one for one in stage.ledger.decisions(stage.name, limit=10_000) if one.id not in known]
    for one in reversed(fresh):
        _tell_decision(stage, one)
    if stage.state.champion is not None:
        stage.await_gateway(stage.state.champion.version)
    if any(one.act in {Act.START, Act.SUPERSEDE} for one in fresh):
        rollout(stage)  # a candidate rehearses at once on what was logged


def live(stage: Theatre) -> None:
    """Replay the live traffic step by step; monitors look, schedules fire, alerts come over HTTP, ticks decide."""
    stage.story.chapter("The show goes on: live traffic, labels that come later")
    number = 0
    while stage.now < stage.script.until:
        before, number = stage.now, number + 1
        result = stage.replay(min(stage.now + stage.script.step, stage.script.until))
        if number % stage.script.monitor_every == 0:
            _monitor(stage)
        if _is_due(stage, before):
            _retrain(stage, "schedule", f"scheduled: {stage.pipeline.spec.schedule.retrain}", "cron")
        if stage.in_rollout:
            rollout(stage)
        if number % 8 == 1:
            errors = stage.story.served[-1][["served", "once"]].mean()
            detail = f"{result.requests} requests, {result.failed} failed; error {errors['served']:.3g}, fitted once {errors['once']:.3g}"
            stage.story.tell("live traffic", detail, stage.now)


def _is_due(stage: Theatre, before: datetime) -> bool:
    from croniter import croniter

    line = stage.pipeline.spec.schedule.retrain
    return line is not None and croniter(line, before).get_next(datetime) <= stage.now


def _monitor(stage: Theatre) -> None:
    called = stage.ledger.newest_run(stage.name, "drift")
    stage.run("monitor")
    again = stage.ledger.newest_run(stage.name, "drift")
    if again is None or again == called:
        return
    findings = [one for one in stage.ledger.findings(stage.name) if one.severity.value == "retrain"]
    stage.story.tell("the monitor raised an alert", "; ".join(one.reason for one in findings), stage.now)
    run = stage.run_by_id(again[1])
    stage.story.tell("the webhook started a retrain", run.url, stage.now)
    stage.finish("retrain", run)
    _tell_submission(stage, run.url)
    stage.story.keep_findings(stage.ledger.findings(stage.name))


def _retrain(stage: Theatre, cause: str, reason: str, actor: str) -> None:
    run = stage.run("retrain", {"cause": cause, "reason": reason, "actor": actor})
    _tell_submission(stage, run.url)


def _tell_submission(stage: Theatre, url: str) -> None:
    submissions = stage.ledger.submissions(stage.name, waiting=False)
    if not submissions:
        stage.story.tell("the retrain gave no version that met its gates", url, stage.now)
        return
    newest = submissions[-1]
    title = f"version {newest.model.version}"
    if title in stage.story.gates:
        stage.story.tell("a retrain gave no version that met its gates", url, stage.now)
        return
    stage.story.gates[title] = newest.gates
    stage.story.tell(f"{title} is registered and asks for the stage ({newest.cause}: {newest.reason})", url, stage.now)


def _tell_decision(stage: Theatre, one: DecisionRecord) -> None:
    stage.story.tell(f"{one.act.value} {f'version {one.version}' if one.version else ''}", one.reason, one.clock)
    if one.act in {Act.PROMOTE, Act.ABORT} and one.verdicts:
        keep_path(stage, one)


def keep_path(stage: Theatre, decision: DecisionRecord) -> None:
    """Draw the confidence sequence behind a decision, block by block, again from the traffic log."""
    from flows.stages.tick import confidence_path

    submissions = {one.model.version: one.model for one in stage.ledger.submissions(stage.name, waiting=False)}
    candidate = submissions.get(decision.version or "")
    champion = _champion_before(stage, decision, submissions)
    if candidate is None or champion is None:
        return
    stage.story.paths.append(confidence_path(stage.settings, stage.pipeline, champion, candidate, decision))


def roll_back(stage: Theatre) -> None:
    """An operator brings the previous champion back; measured from the command to the first answer by it."""
    stage.story.chapter("The operator's hand")
