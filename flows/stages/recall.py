"""What stood behind a decision: its confidence sequence, computed again from the ledger and the traffic log."""

from __future__ import annotations

from dataclasses import replace

from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.confidence import ConfidenceSteps
from contracts.rollout import Act, Arm, DecisionRecord
from contracts.spec import RolloutSpec
from flows.stages.evidence import hear, weigh
from flows.stages.exposed import hear_exposed, weigh_exposed
from rollout.contest import Contest
from rollout.exposed import SPLIT
from rollout.exposure import CANDIDATE, CHAMPION, Exposure
from rollout.rules import Rules, stage_rules, watch_rules

_MOVES_CHAMPION = {Act.BOOTSTRAP, Act.PROMOTE, Act.ROLLBACK}
_RAISES_EPOCH = {Act.PROMOTE, Act.ABORT, Act.ROLLBACK, Act.ADVANCE, Act.EXPOSE}
_TAKES_UP = {Act.START, Act.SUPERSEDE}


def confidence_path(settings: Settings, pipeline: Pipeline, ledger: Ledger, record: DecisionRecord) -> ConfidenceSteps | None:
    """Return the steps of the paired loss that a decision was made on, or None where it was made on no such evidence.

    Rows answered after the decision are left out; labels that came after it count at their last value, and so does today's spec.
    """
    before = [one for one in ledger.decisions(pipeline.spec.name, limit=1_000_000) if one.id < record.id]
    if any(one.gate == SPLIT for one in record.verdicts):
        return _exposed_path(settings, pipeline, ledger, record, before)
    if not any(one.gate.startswith("paired ") for one in record.verdicts):
        return None
    contest = _contest(ledger, record, before)
    if contest is None:
        return None
    began = min((one.at for one in before if one.epoch == contest.epoch), default=record.at)
    heard = hear(settings, pipeline, contest, began)
    heard = replace(heard, answers=heard.answers[heard.answers["logged_at"] <= record.at])
    return weigh(settings, pipeline, contest, heard, _rules(pipeline.spec.rollout, contest, before), record.clock).steps


def _exposed_path(
    settings: Settings, pipeline: Pipeline, ledger: Ledger, record: DecisionRecord, before: list[DecisionRecord]
) -> ConfidenceSteps | None:
    contest = _contest(ledger, record, before)
    entered = next((one for one in before if one.act is Act.ADVANCE), None)
    if contest is None or entered is None:
        return None
    start = next(index for index, one in enumerate(before) if one.act in _TAKES_UP)
    stage = min(sum(one.act is Act.ADVANCE for one in before[:start]), len(pipeline.spec.rollout.stages) - 1)
    arms = (Arm(CHAMPION, contest.against, 0.0), Arm(CANDIDATE, contest.judged, 0.0))
    exposure = Exposure(contest.judged, contest.against, arms, entered.epoch, contest.epoch, stage)
    known = hear_exposed(settings, pipeline, entered.at)
    known = replace(known, answers=known.answers[known.answers["logged_at"] <= record.at])
    return weigh_exposed(settings, pipeline, exposure, known, record.clock).steps


def _contest(ledger: Ledger, record: DecisionRecord, before: list[DecisionRecord]) -> Contest | None:
    """Who was judged: under watch the champion against the one before it, else the version taken up last against the champion."""
    champions = [one.version for one in before if one.act in _MOVES_CHAMPION]
    taken_up = next((one for one in before if one.act in _TAKES_UP), None)
    moved = next((one for one in before if one.act in _MOVES_CHAMPION), None)
    watching = moved is not None and (taken_up is None or taken_up.id < moved.id)
    versions = champions[:2] if watching else [taken_up.version if taken_up else None, *champions[:1]]
    known = {one.model.version: one.model for one in ledger.submissions(record.pipeline, waiting=False)}
    models = [known.get(version or "") for version in versions]
    if len(models) < 2 or models[0] is None or models[1] is None:
        return None
    epoch = record.epoch - 1 if record.act in _RAISES_EPOCH else record.epoch
    return Contest(models[0], models[1], epoch, watching)


def _rules(spec: RolloutSpec, contest: Contest, before: list[DecisionRecord]) -> Rules:
    if contest.watching:
        return watch_rules(spec)
    start = next(index for index, one in enumerate(before) if one.act in _TAKES_UP)
    advanced = sum(one.act is Act.ADVANCE for one in before[:start])
    return stage_rules(spec, min(advanced, len(spec.stages) - 1))
