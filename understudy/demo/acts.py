"""The acts of the demonstration, in order; each uses only what an operator has: flows, requests, commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from contracts.errors import OutsideError
from contracts.events import Severity
from contracts.rollout import Act, DecisionRecord, Phase
from understudy.demo.theatre import Theatre

_ALL = 100_000  # more decisions than any demonstration makes
_TOLD_EVERY = 8  # steps of live traffic


def first_champion(stage: Theatre) -> None:
    """Ingest history, fit, pass the absolute gates, register version 1 and let it answer users."""
    stage.story.chapter("The first model learns the part")
    until = stage.script.history_until.isoformat()
    _retrain(stage, {"until": until, "reason": "the first model, from history", "cause": "operator", "actor": "demonstration"})
    rollout(stage)
    if stage.state.champion is None:
        raise OutsideError("The first version was not made champion.", f"See: understudy history {stage.name}")


def live(stage: Theatre, interlude: Callable[[Theatre], None]) -> None:
    """Replay the live traffic step by step; monitors look, alerts come over HTTP, schedules fire, ticks decide.

    Args:
        interlude: played once: at the first rest after a promotion, at the latest at the end. Time may pass in it; what fell due then is
            done after it.
    """
    stage.story.chapter("The show goes on: live traffic, and labels that come later")
    number, played, looked = 0, False, stage.now
    while stage.now < stage.script.until:
        number += 1
        result = stage.replay_step()
        if _is_due(stage, stage.pipeline.spec.schedule.monitor, looked):
            monitor(stage)
        line = stage.pipeline.spec.schedule.retrain
        if _is_due(stage, line, looked):
            _retrain(stage, {"reason": f"scheduled: {line}", "cause": "schedule", "actor": "demonstration"})  # it plays cron's part
        looked = stage.now
        if stage.in_rollout:
            rollout(stage)
        if not played and stage.state.phase is Phase.IDLE and stage.state.previous is not None:
            interlude(stage)
            played = True
        if number % _TOLD_EVERY == 1:
            errors = stage.story.served[-1][["served", "once"]].mean()
            said = f"{result.requests} requests, {result.failed} failed; error {errors['served']:.3g}, fitted once {errors['once']:.3g}"
            stage.story.tell("live traffic", said, stage.now)
    if not played:
        interlude(stage)


def _is_due(stage: Theatre, line: str | None, before: datetime) -> bool:
    from croniter import croniter

    return line is not None and croniter(line, before).get_next(datetime) <= stage.now


def monitor(stage: Theatre) -> None:
    """Run the monitor and keep what it saw; where it raises an alert, wait for the retrain that the webhook started."""
    called = stage.ledger.newest_run(stage.name, "drift")
    stage.run("monitor")
    answered = stage.ledger.newest_run(stage.name, "drift")
    found = stage.ledger.findings(stage.name)
    alarm = answered is not None and answered != called
    stage.story.keep_findings(found, alarm=alarm)
    if answered is None or not alarm:
        return
    why = "; ".join(one.reason for one in found if one.severity is Severity.RETRAIN)
    stage.story.tell("the monitor raised an alert", why, stage.now)
    run = stage.run_by_id(answered[1])
    stage.story.tell("the alert went over HTTP to the webhook, which started a retrain", run.url, stage.now)
    stage.finish("retrain", run)
    _tell_submission(stage, run.url)


def rollout(stage: Theatre) -> None:
    """Run ticks until nothing more happens, and tell each decision."""
    state = stage.state
    if state.phase is Phase.RUNNING and state.candidate is not None and not state.route.arms:
        stage.await_rehearsal(state.candidate.version)
    fresh = _tick(stage)
    if any(one.act in {Act.START, Act.SUPERSEDE} for one in fresh):
        rollout(stage)  # a candidate rehearses at once on what was logged


def _tick(stage: Theatre) -> list[DecisionRecord]:
    known = {one.id for one in stage.ledger.decisions(stage.name, limit=_ALL)}
    stage.run("rollout")
    fresh = [one for one in stage.ledger.decisions(stage.name, limit=_ALL) if one.id not in known]
    for one in reversed(fresh):
        tell_decision(stage, one)
    if stage.state.champion is not None:
        stage.await_gateway(stage.state.champion.version)
    return fresh


def _retrain(stage: Theatre, parameters: dict[str, str]) -> None:
    run = stage.run("retrain", parameters)
    _tell_submission(stage, run.url)


def _tell_submission(stage: Theatre, url: str) -> None:
    submissions = stage.ledger.submissions(stage.name, waiting=False)
    title = f"version {submissions[-1].model.version}" if submissions else ""
    if not submissions or title in stage.story.gates:
        stage.story.tell("the retrain gave no version that met its gates", url, stage.now)
        return
    newest = submissions[-1]
    stage.story.gates[title] = newest.gates
    stage.story.tell(f"{title} is registered and asks for the stage ({newest.cause}: {newest.reason})", url, stage.now)


def tell_decision(stage: Theatre, one: DecisionRecord) -> None:
    """Tell a decision, and draw the confidence sequence behind one that promoted or refused."""
    stage.story.tell(f"{one.act.value}{f' version {one.version}' if one.version else ''}", one.reason, one.clock)
    if one.act not in {Act.PROMOTE, Act.ABORT, Act.ADVANCE}:
        return
    from flows.stages.recall import confidence_path

    steps = confidence_path(stage.settings, stage.pipeline, stage.ledger, one)
    if steps is not None:
        stage.story.paths.append(steps)
