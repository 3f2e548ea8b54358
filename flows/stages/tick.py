"""One tick of a rollout: look, reconcile, save, act.

Whatever is lost between saving and acting is derived again by the next tick. An operator's intent is answered before anything else is
looked at, so that a roll-back waits for neither the registry nor the traffic log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from adapters.ledger import Ledger
from adapters.pipeline_files import Pipeline
from adapters.settings import Settings
from contracts.errors import Conflict, OutsideError, UnderstudyError
from contracts.rollout import Act, Aliases, Basis, Decision, DecisionRecord, Evidence, Measured, RolloutState
from contracts.verdict import Outcome, Verdict, worst
from flows.stages.clock import pipeline_now
from rollout.contest import FOLLOWS, Contest, contest_of, follows
from rollout.exposure import Exposure, exposure_of
from rollout.reconcile import desired_aliases, reconcile

if TYPE_CHECKING:
    from adapters.registry import Registry
    from contracts.confidence import ConfidenceSteps

_ALL = 100_000  # decisions; a bandit makes many under its stage
_SHOWN_STEPS = 60  # of a confidence sequence, on the gateway's page
_LIVE = timedelta(seconds=10)  # a gateway reports every two seconds


@dataclass(frozen=True, slots=True)
class TickResult:
    """What a tick did.

    Attributes:
        decision: what was decided; `hold` changed nothing.
        record: the decision as the ledger keeps it, or None where it holds.
        evidence: what was seen.
        steps: the confidence sequence behind the paired verdict, where one was measured.
        outside: what could not be reached; the next tick tries again.
    """

    decision: Decision
    record: DecisionRecord | None
    evidence: Evidence
    steps: ConfidenceSteps | None = None
    outside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was looked at: evidence, the pipeline's clock, and whether its verdicts were measured now."""

    evidence: Evidence
    now: datetime
    measured: bool = False
    steps: ConfidenceSteps | None = None
    outside: tuple[str, ...] = ()
    basis: Basis | None = None


def tick(settings: Settings, pipeline: Pipeline, registry: Registry, ledger: Ledger, now: datetime | None = None) -> TickResult:
    """Take one step of a pipeline's rollout, or none.

    Args:
        now: on the pipeline's clock; what `pipeline_now` says when None.

    Raises:
        Conflict: somebody else decided first, twice in a row.
    """

    def aliases() -> Aliases:
        return registry.aliases(pipeline.spec.name)

    try:
        done = decide(settings, pipeline, aliases, ledger, now)
    except Conflict:  # read again, once
        done = decide(settings, pipeline, aliases, ledger, now)
    return act(pipeline, registry, done)


def decide(
    settings: Settings, pipeline: Pipeline, aliases: Callable[[], Aliases], ledger: Ledger, now: datetime | None = None
) -> TickResult:
    """Look, reconcile and save; when this returns, gateways follow the decision.

    Args:
        aliases: asks the registry; called only where its answer can matter.

    Raises:
        Conflict: somebody else decided first; nothing was saved.
    """
    name = pipeline.spec.name
    state = ledger.state(name)
    seen = _asked(settings, pipeline, ledger, now)
    if seen is None:
        seen = _around(_judged(settings, pipeline, ledger, state, now), aliases, ledger, name)
    decision = reconcile(pipeline.spec.rollout, state, seen.evidence, seen.now)
    basis = seen.basis if decision.verdicts == seen.evidence.verdicts else None  # who supersedes rests on its offline gates
    record = None if decision.act is Act.HOLD else ledger.save(decision, seen.now, basis)
    if seen.measured:
        steps = None if seen.steps is None else seen.steps.thinned(_SHOWN_STEPS)
        ledger.report_evidence(name, Measured(seen.evidence.epoch, seen.now, seen.evidence.verdicts, seen.basis, steps))
    return TickResult(decision, record, seen.evidence, seen.steps, seen.outside)


def act(pipeline: Pipeline, registry: Registry, done: TickResult) -> TickResult:
    """Move the registry's aliases to what the saved state wants; a registry that is away is noted in the result, not raised."""
    wanted = desired_aliases(done.decision.state)
    if wanted.champion is None or wanted == done.evidence.aliases:
        return done
    try:
        registry.move_aliases(pipeline.spec.name, wanted)
    except OutsideError as error:
        return replace(done, outside=(*done.outside, f"The registry's aliases were not moved: {error}"))
    return done


def _asked(settings: Settings, pipeline: Pipeline, ledger: Ledger, now: datetime | None) -> _Seen | None:
    """What an operator asks for, beside what the newest tick measured; None where nobody asks."""
    intents = ledger.intents(pipeline.spec.name)
    if not intents:
        return None
    known = ledger.evidence(pipeline.spec.name) or Measured(-1, datetime.now(UTC), ())
    evidence = Evidence(known.epoch, intents=intents, verdicts=known.verdicts)
    return _Seen(evidence, now or pipeline_now(settings, pipeline.spec), basis=known.basis)


def _around(seen: _Seen, aliases: Callable[[], Aliases], ledger: Ledger, name: str) -> _Seen:
    """Add what the registry, the gateways and the shadow process say, and who waits; a failure waits for no registry."""
    found = Aliases()
    outside: tuple[str, ...] = ()
    if worst(seen.evidence.verdicts) is not Outcome.FAIL:
        try:
            found = aliases()
        except OutsideError as error:
            outside = (f"The registry's aliases could not be read: {error}",)
    evidence = replace(
        seen.evidence,
        aliases=found,
        submissions=ledger.submissions(name),
        gateways=ledger.gateways(name, since=datetime.now(UTC) - _LIVE),
        shadow=ledger.shadow(name),
    )
    return replace(seen, evidence=evidence, outside=outside)


def _judged(settings: Settings, pipeline: Pipeline, ledger: Ledger, state: RolloutState, now: datetime | None) -> _Seen:
    exposure = exposure_of(state)
    if exposure is not None:
        return _exposed(settings, pipeline, ledger, state, exposure, now)
    contest = contest_of(state)
    if contest is None:
        return _Seen(Evidence(state.epoch), now or pipeline_now(settings, pipeline.spec))
    from flows.stages.evidence import hear, newest_event, weigh, weighed  # pandas: only a tick that judges pays for it
    from rollout.rules import rules_of

    began = _epoch_began(ledger, state.pipeline, state.epoch)
    at_work = _at_work(ledger, contest, began, state.pipeline)
    heard_at = datetime.now(UTC)
    heard = hear(settings, pipeline, contest, began, heard_at)
    told = newest_event(heard.answers) if pipeline.spec.clock == "event" else None
    if told is not None and told <= contest.cutoff:
        told = None  # what happened later than that may stand where nobody had to read
    clock = now or told or pipeline_now(settings, pipeline.spec)
    rules = rules_of(pipeline.spec.rollout, state)
    verdicts, steps = weighed(lambda: weigh(settings, pipeline, contest, heard, rules, clock), at_work)
    basis = _basis(pipeline, state, began, heard_at, clock) if steps is not None else None
    return _Seen(Evidence(state.epoch, verdicts=verdicts), clock, measured=True, steps=steps, basis=basis)


def _basis(
    pipeline: Pipeline, state: RolloutState, began: datetime, heard_at: datetime, clock: datetime, beside: Mapping[str, float] = {}
) -> Basis:
    return Basis(state, pipeline.spec.rollout.model_dump(mode="json"), began, heard_at, clock, dict(beside))


def _exposed(
    settings: Settings, pipeline: Pipeline, ledger: Ledger, state: RolloutState, exposure: Exposure, now: datetime | None
) -> _Seen:
    """What users of either arm did; nobody follows the log meanwhile."""
    from flows.stages.evidence import newest_event
    from flows.stages.exposed import hear_exposed, weigh_exposed

    began, heard_at = _epoch_began(ledger, pipeline.spec.name, exposure.since), datetime.now(UTC)
    known = hear_exposed(settings, pipeline, began, heard_at)
    told = newest_event(known.answers) if pipeline.spec.clock == "event" else None
    clock = now or told or pipeline_now(settings, pipeline.spec)
    try:
        found = weigh_exposed(settings, pipeline, exposure, known, clock)
    except UnderstudyError as error:
        broken = Verdict("measurement", Outcome.ERROR, None, None, 0, error.message)
        return _Seen(Evidence(exposure.epoch, verdicts=(broken,)), clock, measured=True)
    evidence = Evidence(exposure.epoch, verdicts=found.verdicts, shares=found.shares)
    basis = _basis(pipeline, state, began, heard_at, clock, found.beside)
    return _Seen(evidence, clock, measured=True, steps=found.steps, basis=basis)


def _epoch_began(ledger: Ledger, name: str, epoch: int) -> datetime:
    """When an epoch began, on the wall clock."""
    return min((one.at for one in ledger.decisions(name, limit=_ALL) if one.epoch == epoch), default=datetime.now(UTC))


def _at_work(ledger: Ledger, contest: Contest, began: datetime, name: str) -> Verdict:
    before = ledger.evidence(name)
    same = before.verdicts if before is not None and before.epoch == contest.epoch else ()
    rows = next((one.samples for one in same if one.gate == FOLLOWS), None)
    return follows(contest, ledger.shadow(name), rows, began, datetime.now(UTC))
