"""Computes the numbers of a decision again, from the traffic log as it was when the decision was made, and names what differs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.confidence import ConfidenceSteps
from contracts.errors import UnderstudyError
from contracts.rollout import Basis, DecisionRecord
from contracts.spec import RolloutSpec
from contracts.verdict import Verdict
from flows.stages.evidence import hear, weigh
from flows.stages.exposed import hear_exposed, weigh_exposed
from rollout.assess import Assessment
from rollout.contest import FOLLOWS, contest_of
from rollout.exposed import Judged
from rollout.exposure import exposure_of
from rollout.rules import rules_of

_NUMBERS = ("observed", "lower", "upper", "limit")
_ROUNDING = 1e-9  # relative: another machine adds in another order


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What the log gives today.

    Attributes:
        verdicts: of the gates that rest on the log, in order.
        differs: one sentence for each number that is not as it was.
        steps: the confidence sequence behind the verdict on the loss or the reward.
        beside: what stands in no verdict: a bandit's shares, and what the candidate alone would earn by IPS.
    """

    verdicts: tuple[Verdict, ...]
    differs: tuple[str, ...]
    steps: ConfidenceSteps | None = None
    beside: dict[str, float] = field(default_factory=dict)


def recompute(settings: Settings, pipeline: Pipeline, record: DecisionRecord) -> Recomputed | None:
    """Judge again what a decision was made on; None where it was made on no live evidence.

    The spec, the state, the clock and the moment up to which the log is read are those of then; labels count at their value of then.
    """
    basis = record.basis
    if basis is None:
        return None
    spec = RolloutSpec.model_validate(basis.rollout)
    then = replace(pipeline, spec=pipeline.spec.model_copy(update={"rollout": spec}))
    recorded = [one for one in record.verdicts if one.gate != FOLLOWS]  # that one rests on what a process said of itself
    try:
        found = _judged(settings, then, basis)
    except UnderstudyError as error:
        return Recomputed((), (f"it cannot be computed again: {error.message}",))
    if found is None:
        return None
    beside = found.beside if isinstance(found, Judged) else {}
    differs = (*_differences(recorded, list(found.verdicts)), *_beside(basis.beside, beside))
    return Recomputed(found.verdicts, differs, found.steps, beside)


def _judged(settings: Settings, then: Pipeline, basis: Basis) -> Judged | Assessment | None:
    """Judge what users of both arms did, or what the log's follower answered, by which of both the state asks for."""
    exposure, contest = exposure_of(basis.state), contest_of(basis.state)
    if exposure is not None:
        known = hear_exposed(settings, then, basis.began, basis.heard_at)
        return weigh_exposed(settings, then, exposure, known, basis.clock)
    if contest is None:
        return None
    heard = hear(settings, then, contest, basis.began, basis.heard_at)
    return weigh(settings, then, contest, heard, rules_of(then.spec.rollout, basis.state), basis.clock)


def _differences(recorded: list[Verdict], now: list[Verdict]) -> list[str]:
    before, after = ({one.gate: one for one in many} for many in (recorded, now))
    found = [f"{name}: recorded, but not computed again" for name in before if name not in after]
    found += [f"{name}: computed, but not recorded" for name in after if name not in before]
    for name in before.keys() & after.keys():
        found += [f"{name}: {said}" for said in _of_one(before[name], after[name])]
    return sorted(found)


def _beside(recorded: dict[str, float], now: dict[str, float]) -> list[str]:
    pairs = ((name, recorded.get(name), now.get(name)) for name in sorted({*recorded, *now}))
    return [f"{name} was {_say(old)}, the log gives {_say(new)}" for name, old, new in pairs if not _same(old, new)]


def _of_one(then: Verdict, now: Verdict) -> list[str]:
    found = [] if then.outcome is now.outcome else [f"the outcome was {then.outcome.name}, the log gives {now.outcome.name}"]
    found += [] if then.samples == now.samples else [f"there were {then.samples} samples, the log has {now.samples}"]
    pairs = ((name, getattr(then, name), getattr(now, name)) for name in _NUMBERS)
    return found + [f"{name} was {_say(old)}, the log gives {_say(new)}" for name, old, new in pairs if not _same(old, new)]


def _same(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new or not _finite(old, new)
    return old == new or math.isclose(old, new, rel_tol=_ROUNDING, abs_tol=1e-12) or not _finite(old, new)


def _finite(*values: float | None) -> bool:
    """Whether any of both is a number that JSON can hold; infinities are kept as null."""
    return any(value is not None and math.isfinite(value) for value in values)


def _say(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.10g}"
