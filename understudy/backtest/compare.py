"""Several policies over the same history, each drift policy beside a calendar with as many fits, and what to make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from contracts.columns import EVENT_TIME
from contracts.errors import UsageError
from contracts.spec import RolloutSpec
from understudy.backtest.cost import BASE_RATE, Cost, cost_of, moved_intercept, with_base_rate
from understudy.backtest.policies import Policy, parse_policy, same_budget
from understudy.backtest.variants import Variant, varied
from understudy.backtest.walk import Calendar, Walk, Walked
from understudy.backtest.world import World

_AS_GOOD = 1.05  # of the best loss: within this the policy with the fewest fits is recommended


@dataclass(frozen=True, slots=True)
class Comparison:
    """A backtest's answer.

    Attributes:
        loss: what is compared. fits: different fits that were made for all policies together.
        costs: `never`, then in the order that was asked for, then the calendars with the budget of a drift policy; last the moved
            intercept.
        notes: what a reader must know: what this walk leaves out.
    """

    pipeline: str
    loss: str
    start: datetime
    until: datetime
    step: timedelta
    rows: int
    fits: int
    costs: list[Cost]
    recommendation: str
    notes: list[str]


def calendar_of(history: pd.DataFrame, world: World, start: datetime | None, until: datetime | None, step: timedelta) -> Calendar:
    """Return when to look; where nobody says from when, the first train.window and train.holdout are history, or the first third of all.

    Raises:
        UsageError: nothing lies between the start and the end.
    """
    if history.empty:
        raise UsageError("The source has no row.", "Look at source in pipeline.yaml.")
    first, last = (history[EVENT_TIME].iloc[place].to_pydatetime() for place in (0, -1))
    end = min(until, last) if until is not None else last
    begin = start or _after_history(first, end, world)
    if not first < begin < end:
        raise UsageError(
            f"Nothing can be walked from {begin:%Y-%m-%d} to {end:%Y-%m-%d}: the history is from {first:%Y-%m-%d} to {last:%Y-%m-%d}.",
            "Give a --from date inside it, after enough rows for a first fit.",
        )
    return Calendar(begin, end, step)


def _after_history(first: datetime, end: datetime, world: World) -> datetime:
    third, reach = first + (end - first) / 3, world.spec.train.reach
    needed = third if reach is None else first + reach + world.spec.train.holdout
    return min(third, needed).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def compare_policies(
    world: World,
    names: Sequence[str],
    calendar: Calendar,
    tell: Callable[[str, int, int], None] = lambda _name, _done, _of: None,
    variants: Sequence[Variant] = (),
) -> Comparison:
    """Walk each policy, `never` first since all are held against it; then each policy that refits under each variant of the spec.

    Args:
        names: policies as people type them.
        tell: takes a policy's name, the steps done, and how many there are.
        variants: of the spec; a row for each beside each policy.

    Raises:
        UsageError: a name is no policy, a variant makes no pipeline, or the first model cannot be had.
    """
    asked = [one for one in (parse_policy(name, calendar.step) for name in dict.fromkeys(names)) if one.name != "never"]
    worlds = [(one, world.varied(varied(world.pipeline, one.changes))) for one in variants]
    _, notes = simulated(world.spec.rollout)

    def walk(policy: Policy, here: World, reference: float | None) -> tuple[Cost, Walked]:
        rollout, _ = simulated(here.spec.rollout)
        walked = Walk(here, policy, calendar, rollout, lambda done, of: tell(policy.name, done, of)).run()
        return cost_of(here, walked, calendar, reference), walked

    never, unmoved = walk(Policy("never"), world, None)
    entries = [(policy, world) for policy in asked]
    entries += [
        (replace(policy, name=f"{policy.name} [{one.name}]"), here) for one, here in worlds for policy in asked if not policy.oracle
    ]
    costs = [never, *(walk(policy, here, never.loss)[0] for policy, here in entries)]
    for (policy, here), done in zip(entries, costs[1:], strict=True):
        if policy.drift and done.fits > 1:
            costs.append(walk(same_budget(policy, done.fits, calendar.looks), here, never.loss)[0])
    if world.spec.task == "binary":
        moved = moved_intercept(world, never, unmoved, calendar)
        costs = [*(with_base_rate(one, never.loss, moved.loss) for one in costs), moved]
    rows = sum(point.rows for point in never.over_time)
    loss = world.spec.rollout.shadows[0].loss
    said = recommend(costs, loss)
    return Comparison(world.spec.name, loss, calendar.start, calendar.until, calendar.step, rows, world.fits, costs, said, notes)


def simulated(spec: RolloutSpec) -> tuple[RolloutSpec, list[str]]:
    """Return the rollout as it can be walked without people, and what that leaves out."""
    notes = [
        "Latency and failures of requests are not simulated: every answer takes as long as any other and none fails.",
        "Monitors of inputs and predictions are not walked: they warn, and a warning refits nothing. The suite is not run on history.",
    ]
    if spec.promotion == "manual":
        notes.append("The spec asks for manual promotion: the walk promotes as soon as the evidence is in.")
    if len(spec.shadows) < len(spec.stages):
        notes.append("A/B and bandit stages are left out: history does not say what another answer would have earned.")
    return spec.model_copy(update={"promotion": "automatic", "stages": spec.shadows}), notes


def recommend(costs: Sequence[Cost], loss: str) -> str:
    """Return in words which policy to take: the one with the fewest fits among those near the best loss, and what speaks against it."""
    real = [one for one in costs if not one.reference and one.budget_of is None]
    best = min(real, key=lambda one: one.loss)
    near = [one for one in real if one.loss <= best.loss * _AS_GOOD]
    chosen = min(near, key=lambda one: (one.fits, one.loss))
    if chosen.policy == "never":
        return f"Nothing speaks for refitting: without it the {loss} is {chosen.loss:.4g}, and no policy is more than 5 % better."
    said = [
        f"Take {chosen.policy}: {loss} {chosen.loss:.4g} with {chosen.fits} fits, "
        f"{1 - chosen.relative:.0%} less than a model that is never refitted."
    ]
    if best is not chosen:
        said.append(f"{best.policy} reaches {best.loss:.4g}, less than 5 % better, and takes {best.fits} fits.")
    if chosen.base_rate is not None:
        said.append(f"{chosen.base_rate:.0%} of its gain is the moving base rate: the first model with a moved intercept has it too.")
    said += _beside(costs)
    if chosen.rejections > chosen.promotions:
        said.append(
            f"{chosen.rejections} of its {chosen.fits} fits were turned away: look at gates, margin and window before you rely on it."
        )
    if chosen.paused:
        said.append("It ended paused: live, an operator would have been asked.")
    return " ".join(said)


def _beside(costs: Sequence[Cost]) -> list[str]:
    """Hold each drift policy against the calendar with as many fits, and all of them against the oracle."""
    said, loss = [], {one.policy: one.loss for one in costs if one.budget_of is None}
    for peer in costs:
        if peer.budget_of is not None:
            better = "better" if loss[peer.budget_of] < peer.loss else "no better"
            said.append(f"{peer.budget_of} is {better} than the calendar with {peer.fits} fits ({peer.loss:.4g}).")
        if peer.policy == BASE_RATE:
            said.append(f"Moving nothing but the first model's intercept gives {peer.loss:.4g}.")
        elif peer.reference:
            said.append(f"Refitting at each step and promoting unseen gives {peer.loss:.4g} with {peer.fits} fits.")
    return said
