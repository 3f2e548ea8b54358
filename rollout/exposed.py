"""Assess exposure: what users of each arm earned becomes verdicts, and for a bandit the shares that it should have from now on.

The order matters: where units did not come into the arms in the ratio that was asked for, something between the split and the log is
broken and no reward can be compared (the mismatch voids the comparison). Then the reward decides, with guardrails beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from contracts.confidence import ConfidenceSteps
from contracts.errors import UsageError
from contracts.package import Task
from contracts.spec import AbStage, BanditStage, RolloutSpec
from contracts.traffic import Hole
from contracts.verdict import Outcome, Verdict
from rollout import guardrails
from rollout.alpha import alpha_shares
from rollout.blocks import Classes, Floats, all_classes, numbers
from rollout.exposure import CANDIDATE, CHAMPION, Exposure
from rollout.rewards import Units, exposed_rows, units_of
from stats.arm_difference import Rewards, arm_difference_path
from stats.confidence_sequence import Interval
from stats.off_policy import ips, snips
from stats.sample_ratio import ratio_p_value
from stats.thompson import Seen, best_shares, draw_beta, draw_gaussian

SPLIT = "sample ratio"  # the gate's name
_SPLIT_ALPHA = 0.001  # of the test of the split, beside the spec's alpha: an alarm that is false in one of a thousand rollouts
_MOST_STEPS = 400  # of a plot


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts and the steps behind the reward's; of a bandit also shares by arm and, once enough came, the candidate's reward by IPS."""

    verdicts: tuple[Verdict, ...]
    steps: ConfidenceSteps
    shares: dict[str, float] | None = None
    alone: Interval | None = None

    @property
    def beside(self) -> dict[str, float]:
        """The numbers that stand in no verdict, by name."""
        shares = {f"share of the {name}": share for name, share in (self.shares or {}).items()}
        if self.alone is None:
            return shares
        return shares | {"IPS": self.alone.mean, "IPS, lower": self.alone.lower, "IPS, upper": self.alone.upper}


@dataclass(frozen=True, slots=True)
class Known:
    """What the log says about an exposure: answers, feedback and failures in the columns of adapters.traffic_frames, and its holes."""

    answers: pd.DataFrame
    feedback: pd.DataFrame
    failures: pd.DataFrame
    holes: tuple[Hole, ...] = ()


def assess_exposed(
    exposure: Exposure, known: Known, spec: RolloutSpec, task: Task, target: str, classes: Classes, known_by: datetime
) -> Judged:
    """Judge a candidate on what users of both arms did.

    Args:
        classes: of the candidate and of the champion; both empty for regression.
        known_by: event time up to which rewards are due: now minus the label delay.

    Raises:
        UsageError: the rewards are not of the kind that the stage says.
    """
    stage = spec.stages[min(exposure.stage, len(spec.stages) - 1)]
    if not isinstance(stage, AbStage | BanditStage):
        raise UsageError(f"Stage {exposure.stage} exposes nobody, and version {exposure.judged.version} is.", "The next tick mends it.")
    rows = exposed_rows(exposure, known.answers)
    units = units_of(exposure, rows, known.feedback, stage, (target, all_classes(task, classes)), known_by)
    split = split_verdict(exposure, units)
    alpha = alpha_shares(spec)
    reward, steps, alone = _reward(exposure, stage, units, alpha.loss, void=split.outcome is Outcome.FAIL)
    beside = _guardrails(exposure, known, rows, spec, alpha.each, task, classes)
    shares = next_shares(exposure, stage, units) if isinstance(stage, BanditStage) else None
    return Judged((split, reward, *beside), steps, shares, alone)


def split_verdict(exposure: Exposure, units: Units) -> Verdict:
    """Judge whether units came into the arms as they were asked to."""
    names = [arm.name for arm in exposure.arms]
    counts = {epoch: [by_arm.get(name, 0) for name in names] for epoch, by_arm in units.assigned.items()}
    total = [sum(column) for column in zip(*counts.values(), strict=True)] or [0] * len(names)
    if not sum(total):
        return Verdict(SPLIT, Outcome.INCONCLUSIVE, None, _SPLIT_ALPHA, 0, "no unit has come yet")
    p_value = ratio_p_value((count, [units.shares[epoch][name] for name in names]) for epoch, count in counts.items())
    came = ", ".join(f"{count} {name}" for name, count in zip(names, total, strict=True))
    if p_value < _SPLIT_ALPHA:
        said = f"the split is not what was asked for (units: {came}; p {p_value:.2g}): the comparison is void; look for lost logs"
        return Verdict(SPLIT, Outcome.FAIL, p_value, _SPLIT_ALPHA, sum(total), said)
    return Verdict(SPLIT, Outcome.PASS, p_value, _SPLIT_ALPHA, sum(total), f"the split is as asked for: {came} units, p {p_value:.2g}")


def next_shares(exposure: Exposure, stage: BanditStage, units: Units) -> dict[str, float]:
    """Return the share of each arm by Thompson sampling on the rewards that have come; the same log gives the same shares.

    Raises:
        UsageError: the spec says binary rewards and they are not.
    """
    seen = [_seen(units.samples[units.samples["arm"] == arm.name], stage) for arm in exposure.arms]
    draw = np.random.default_rng([stage.seed, exposure.epoch])
    try:
        drawn = draw_beta(seen, draw) if stage.rewards == "binary" else draw_gaussian(seen, draw)
    except ValueError as error:
        raise UsageError(f"The reward '{stage.reward}' is not binary: {error}.", "Say `rewards: number` in the stage.") from error
    return {arm.name: share for arm, share in zip(exposure.arms, best_shares(drawn, stage.floor), strict=True)}


def _seen(samples: pd.DataFrame, stage: BanditStage) -> Seen:
    if stage.rewards == "binary":
        return Seen(int(samples["known"].sum()), float(samples["total"].sum()), float(samples["total"].sum()))
    each = samples["total"] / (samples["known"] if stage.per == "row" else 1)
    return Seen(len(each), float(each.sum()), float((each**2).sum()))


def _reward(
    exposure: Exposure, stage: AbStage | BanditStage, units: Units, alpha: float, *, void: bool
) -> tuple[Verdict, ConfidenceSteps, Interval | None]:
    rewards = _rewards(units.samples[units.samples["arm"].isin([CANDIDATE, CHAMPION])], stage)
    tightest_at = round(2 * stage.min_units / min(stage.share, 1 - stage.share))
    path = arm_difference_path(rewards, alpha, tightest_at)
    verdict, alone = _reward_verdict(exposure, stage, units, rewards, (path.mean, path.lower, path.upper), alpha, void=void)
    kept = np.unique(np.linspace(0, len(path.mean) - 1, _MOST_STEPS).astype(int)) if len(path.mean) else np.zeros(0, dtype=int)
    kept = kept[np.isfinite(path.lower[kept])]
    mean, lower, upper = (part[kept].tolist() for part in (path.mean, path.lower, path.upper))
    measured = f"{stage.reward} per {stage.per}: candidate − champion"
    steps = ConfidenceSteps(exposure.judged.version, stage.margin, (kept + 1).tolist(), mean, lower, upper, "units", measured)
    return verdict, steps, alone


def _rewards(samples: pd.DataFrame, stage: AbStage | BanditStage, arm: str = CANDIDATE) -> Rewards:
    return Rewards(
        (samples["arm"] == arm).to_numpy(),
        samples["propensity"].to_numpy(dtype=np.float64),
        samples["total"].to_numpy(dtype=np.float64),
        samples["known"].to_numpy(dtype=np.float64) if stage.per == "row" else np.ones(len(samples)),
    )


def _reward_verdict(
    exposure: Exposure,
    stage: AbStage | BanditStage,
    units: Units,
    rewards: Rewards,
    bounds: tuple[Floats, Floats, Floats],
    alpha: float,
    *,
    void: bool,
) -> tuple[Verdict, Interval | None]:
    name, limit, count = f"{'off-policy ' if stage.kind == 'bandit' else ''}{stage.reward}", -stage.margin + 0.0, len(rewards.total)
    arms = (int(rewards.treated.sum()), int((~rewards.treated).sum()))
    later = f"; {units.waiting} units are not complete yet" if units.waiting else ""
    later += f"; of {units.silent} complete units no reward is known" if units.silent else ""
    if void:
        return Verdict(name, Outcome.INCONCLUSIVE, None, limit, count, "void: the split is not what was asked for"), None
    if min(arms) < stage.min_units:
        said = f"{arms[0]} and {arms[1]} complete units in the two arms; {stage.min_units} of each are needed"
        return Verdict(name, Outcome.INCONCLUSIVE, None, limit, count, said + later), None
    mean, lower, upper = (float(part[-1]) for part in bounds)
    outcome = Outcome.PASS if lower > limit else Outcome.FAIL if upper < limit else Outcome.INCONCLUSIVE
    where = {Outcome.PASS: "above", Outcome.FAIL: "below"}.get(outcome, "around")
    said = (
        f"version {exposure.judged.version} earns {abs(mean):.4g} {'more' if mean >= 0 else 'less'} {stage.reward} per {stage.per} than "
        f"version {exposure.against.version} ({arms[0]} and {arms[1]} units): the difference lies between {lower:.4g} and {upper:.4g}, "
        f"{where} the limit {limit:.4g}"
    )
    if stage.kind != "bandit":
        return Verdict(name, outcome, mean, limit, count, said + later, lower, upper), None
    off_policy = f"; off-policy, each alone would earn {stage.reward}: {'; '.join(_alone(exposure, stage, units, alpha))}"
    alone = ips(_rewards(units.samples, stage), alpha)
    return Verdict(name, outcome, mean, limit, count, said + off_policy + later, lower, upper), alone


def _alone(exposure: Exposure, stage: BanditStage, units: Units, alpha: float) -> list[str]:
    """Say of each arm what it would have earned had it answered everybody."""
    said = []
    for arm in exposure.arms:
        rewards = _rewards(units.samples, stage, arm.name)
        whole, normed = ips(rewards, alpha), snips(rewards, alpha)
        by_ips = f"{whole.mean:.4g} per unit by IPS ({whole.lower:.4g} to {whole.upper:.4g})"
        by_snips = f"{normed.mean:.4g} per {stage.per} by SNIPS ({normed.lower:.4g} to {normed.upper:.4g})"
        said.append(f"{arm.name} {by_ips}, {by_snips}")
    return said


def _guardrails(
    exposure: Exposure, known: Known, rows: pd.DataFrame, spec: RolloutSpec, alpha: float, task: Task, classes: Classes
) -> list[Verdict]:
    limits, version = spec.guardrails, exposure.judged.version
    mine, theirs = rows[rows["version"] == version], rows[rows["version"] == exposure.against.version]
    verdicts = []
    if limits.error_rate is not None:
        failures = known.failures[known.failures["epoch"].between(exposure.since, exposure.epoch)]
        failed = int(failures.loc[failures["version"] == version, "batch"].nunique())
        tried = failed + int(mine["request_id"].nunique())
        verdicts.append(guardrails.error_rate(version, failed, tried, limits.error_rate, alpha))
    if limits.latency_p99_ratio is not None:
        judged, against = (part.drop_duplicates("batch")["latency_ms"].to_numpy(dtype=np.float64) for part in (mine, theirs))
        verdicts.append(guardrails.latency_p99_ratio(version, judged, against, limits.latency_p99_ratio, alpha))
    if limits.prediction_psi is not None:
        verdicts.append(_psi(exposure, (mine, theirs), limits.prediction_psi, task, classes))
    return verdicts


def _psi(exposure: Exposure, parts: Sequence[pd.DataFrame], limit: float, task: Task, classes: Classes) -> Verdict:
    """The arms answered different units, drawn at random: of each the same number is compared, spread over the same time."""
    count = min(map(len, parts))
    known = all_classes(task, classes)
    kept = [part["prediction"].iloc[np.linspace(0, len(part) - 1, count).astype(int)] for part in parts]
    mine, theirs = (numbers(one, task, own, known) for one, own in zip(kept, classes, strict=True))
    return guardrails.prediction_psi(exposure.judged.version, mine, theirs, limit)
