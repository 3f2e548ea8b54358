"""Where a pipeline stands, as one JSON document: what `status --json` prints and the gateway's page shows."""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.ledger.rows import to_json
from adapters.ledger.store import Ledger
from contracts.rollout import DecisionRecord, Measured, ModelRef, RolloutState
from contracts.verdict import Verdict


def overview(ledger: Ledger, pipeline: str, decisions: int = 50) -> dict[str, Any]:
    """Return a pipeline's status in plain JSON values: times are RFC 3339, a number that is not finite is null.

    Args:
        decisions: how many of the newest decisions to tell.

    The evidence is what the newest tick measured in the epoch in force, else that of the newest decision that had any.
    """
    state, records, shadow, seen = (
        ledger.state(pipeline),
        ledger.decisions(pipeline, limit=decisions),
        ledger.shadow(pipeline),
        ledger.evidence(pipeline),
    )
    champion = _model(state.champion)
    document = {
        "pipeline": pipeline,
        "champion": None if champion is None else champion | {"since": state.champion_since},
        "previous": _model(state.previous),
        "candidate": _model(state.candidate),
        "phase": state.phase,
        "phase_since": state.phase_since,
        "stage": state.stage,
        "epoch": state.epoch,
        "route": to_json(state.route) | {"share": state.route.share},
        "approval": None if state.approval is None else to_json(state.approval),
        "evidence": [_verdict(one) for one in _evidence(seen, state, records)],
        "confidence": to_json(seen.steps) if seen is not None and seen.steps is not None and seen.epoch == state.epoch else None,
        "shadow": None if shadow is None else to_json(shadow),
        "alerts": to_json(ledger.alerts(pipeline)),
        "findings": to_json(ledger.findings(pipeline)),
        "decisions": [_decision(one) for one in records],
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))  # JSON has no infinity: msgspec writes null
    return plain


def _evidence(seen: Measured | None, state: RolloutState, records: list[DecisionRecord]) -> tuple[Verdict, ...]:
    if seen is not None and seen.epoch == state.epoch:
        return seen.verdicts
    return next((one.verdicts for one in records if one.verdicts), ())


def _model(model: ModelRef | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {"version": model.version, "snapshot": model.snapshot, "digest": model.digest, "cutoff": model.cutoff}


def _verdict(one: Verdict) -> dict[str, Any]:
    return {**to_json(one), "outcome": one.outcome.name}


def _decision(one: DecisionRecord) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": one.at,
        "clock": one.clock,
        "action": one.act,
        "reason": one.reason,
        "actor": one.actor,
        "version": one.version,
        "epoch": one.epoch,
    }
