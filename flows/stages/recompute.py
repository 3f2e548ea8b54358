"""Computes the numbers of a decision again, from the traffic log as it was when the decision was made, and names what differs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.errors import UnderstudyError
from contracts.rollout import DecisionRecord
from contracts.spec import RolloutSpec
from contracts.verdict import Verdict
from flows.stages.evidence import hear, weigh
from rollout.assess import ConfidenceSteps
from rollout.contest import FOLLOWS, contest_of
from rollout.rules import rules_of

_NUMBERS = ("observed", "lower", "upper", "limit")
_ROUNDING = 1e-9  # relative: another machine adds in another order


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What the log gives today.

    Attributes:
        verdicts: of the gates that rest on the log, in order.
        differs: one sentence for each number that is not as it was.
        steps: the confidence sequence behind the paired verdict.
    """

    verdicts: tuple[Verdict, ...]
    differs: tuple[str, ...]
    steps: ConfidenceSteps | None = None


def recompute(settings: Settings, pipeline: Pipeline, record: DecisionRecord) -> Recomputed | None:
    """Judge again what a decision was made on; None where it was made on no live evidence.

    The spec, the state, the clock and the moment up to which the log is read are those of then; labels count at their value of then.
    """
    basis = record.basis
    contest = None if basis is None else contest_of(basis.state)
    if basis is None or contest is None:
        return None
    spec = RolloutSpec.model_validate(basis.rollout)
    then = replace(pipeline, spec=pipeline.spec.model_copy(update={"rollout": spec}))
    recorded = [one for one in record.verdicts if one.gate != FOLLOWS]  # that one rests on what a process said of itself
    try:
        heard = hear(settings, then, contest, basis.began, basis.heard_at)
        found = weigh(settings, then, contest, heard, rules_of(spec, basis.state), basis.clock)
    except UnderstudyError as error:
        return Recomputed((), (f"it cannot be computed again: {error.message}",))
    return Recomputed(found.verdicts, tuple(_differences(recorded, list(found.verdicts))), found.steps)


def _differences(recorded: list[Verdict], now: list[Verdict]) -> list[str]:
    before, after = ({one.gate: one for one in many} for many in (recorded, now))
    found = [f"{name}: recorded, but not computed again" for name in before if name not in after]
    found += [f"{name}: computed, but not recorded" for name in after if name not in before]
    for name in before.keys() & after.keys():
        found += [f"{name}: {said}" for said in _of_one(before[name], after[name])]
    return sorted(found)


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
