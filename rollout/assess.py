"""Assess: what the traffic log says becomes verdicts.

Positive differences speak for the version that is judged. It passes when the lower bound of the mean difference exceeds -margin, fails when
the upper bound lies under it, and stays inconclusive in between, while fewer than `min_blocks` blocks are complete and, where labels are
classes, while fewer than 30 labels outside the commonest class are in.

How the gates share alpha: a promotion needs every gate to pass, so for that each could have the whole. A single FAIL ends a rollout, so the
chance of a false one adds up: four fifths of alpha belong to the paired loss, the rest in equal parts to the guardrails that test a share
(error rate, latency). Without such a guardrail the paired loss has all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from contracts.package import Task
from contracts.rollout import Phase, RolloutState
from contracts.spec import Guardrails, LossName, RolloutSpec
from contracts.verdict import Outcome, Verdict
from rollout import guardrails
from rollout.blocks import Blocks, Classes, Differences, Floats, all_classes, block_means, differences, numbers, rarer_labels
from rollout.contest import Contest
from rollout.pairs import Heard, pair
from stats.confidence_sequence import Path, asymptotic_path

_PAIRED_SHARE = 0.8
_MOST_WAITING = 0.2  # of the complete blocks; a candidate that is further behind is not promoted on the older part of its rehearsal
LEAST_RARER = 30  # labels outside the commonest class: with fewer, the spread of skewed losses is not known (benchmarks/decisions)
_EXPECTED_BLOCKS = 50  # where the spec says nothing about how many will come


@dataclass(frozen=True, slots=True)
class Rules:
    """By what a stage, or the watch, judges.

    Attributes:
        margin: how much worse the loss per request may be, in the loss's unit.
        tightest_at: the number of blocks at which the bounds are narrowest; it follows from the spec, never from what was seen.
        alpha, alpha_each: what the paired loss has, and what each guardrail that tests a share has.
    """

    loss: LossName
    block: timedelta
    margin: float
    min_blocks: int
    tightest_at: int
    alpha: float
    alpha_each: float
    guardrails: Guardrails


@dataclass(frozen=True, slots=True)
class ConfidenceSteps:
    """The confidence sequence as it grew: after each number of blocks the mean difference and its bounds, from the second block on.

    Attributes:
        version: which version is judged.
        margin: how much worse it may be: it passes while `lower` is above -margin and fails when `upper` is under it.
    """

    version: str
    margin: float
    blocks: list[int]
    mean: list[float]
    lower: list[float]
    upper: list[float]


@dataclass(frozen=True, slots=True)
class Assessment:
    """Verdicts, the paired loss first, and the steps behind that one."""

    verdicts: tuple[Verdict, ...]
    steps: ConfidenceSteps


def rules_of(spec: RolloutSpec, state: RolloutState) -> Rules:
    """Return the rules that hold in this state."""
    return watch_rules(spec) if state.phase is Phase.WATCHING else stage_rules(spec, state.stage or 0)


def stage_rules(spec: RolloutSpec, index: int) -> Rules:
    """Return the rules of a shadow stage; of any other those of the shadow before it."""
    stage = spec.shadow_at(index)
    rehearsed = round(stage.rehearse / stage.block)
    expected = max(stage.min_blocks, rehearsed) if rehearsed else _EXPECTED_BLOCKS
    return Rules(stage.loss, stage.block, stage.margin, stage.min_blocks, expected, *alpha_shares(spec), spec.guardrails)


def watch_rules(spec: RolloutSpec) -> Rules:
    """Return the rules of the watch: the last shadow's, with blocks short enough to be twice as many as are needed while it lasts.

    A margin that asked the candidate to be better is not asked of the champion again: under watch it may only not be worse.
    """
    stage = spec.shadows[-1]
    block = max(min(stage.block, spec.watch / (2 * stage.min_blocks)), timedelta(seconds=1))
    expected = max(stage.min_blocks, round(spec.watch / block))
    return Rules(stage.loss, block, max(stage.margin, 0.0), stage.min_blocks, expected, *alpha_shares(spec), spec.guardrails)


def alpha_shares(spec: RolloutSpec) -> tuple[float, float]:
    """Return what of alpha the loss or reward has, and what each guardrail that tests a share has."""
    testing = [limit for limit in (spec.guardrails.error_rate, spec.guardrails.latency_p99_ratio) if limit is not None]
    if not testing:
        return spec.alpha, 0.0
    return spec.alpha * _PAIRED_SHARE, spec.alpha * (1 - _PAIRED_SHARE) / len(testing)


def assess(contest: Contest, heard: Heard, rules: Rules, task: Task, classes: Classes, known_by: datetime) -> Assessment:
    """Judge one version against the other on what the log says.

    Args:
        contest: who is judged, against whom.
        heard: the log's frames.
        rules: of the stage, or of the watch.
        classes: of the judged version and of the other, from their manifests; both empty for regression.
        known_by: event time up to which labels are due: now minus the label delay.
    """
    rows = pair(contest, heard)
    found = differences(rows, task, rules.loss, classes)
    blocks = block_means(rows["event_time"], found.values, rows["waits"].to_numpy(), rules.block, known_by)
    path = asymptotic_path(blocks.means, rules.alpha, rules.tightest_at)
    verdicts = [paired_verdict(contest, rules, blocks, path, found), *_guardrails(contest, heard, rules, rows, task, classes)]
    return Assessment(tuple(verdicts), _steps(contest, rules, path))


def paired_verdict(contest: Contest, rules: Rules, blocks: Blocks, path: Path, found: Differences) -> Verdict:
    """Judge the paired loss by the last interval of its confidence sequence."""
    name, limit, count = f"paired {rules.loss}", -rules.margin + 0.0, len(blocks.means)
    if found.broken:
        said = f"version {contest.judged.version} answered {found.broken} rows with a number that is not finite"
        return Verdict(name, Outcome.FAIL, None, limit, count, said)
    odd = f"; {found.unknown} labels could not be used" if found.unknown else ""
    late = f"; {blocks.waiting} complete blocks wait for answers" if blocks.waiting else ""
    if count < rules.min_blocks:
        said = f"{count} of at least {rules.min_blocks} complete blocks with labels so far ({blocks.requests} requests)"
        mean = float(path.mean[-1]) if count else None
        return Verdict(name, Outcome.INCONCLUSIVE, mean, limit, count, said + odd + late)
    rarer = rarer_labels(found, blocks)
    if rarer is not None and rarer < LEAST_RARER:
        said = f"{rarer} of at least {LEAST_RARER} labels outside the commonest class so far ({blocks.requests} requests)"
        return Verdict(name, Outcome.INCONCLUSIVE, float(path.mean[-1]), limit, count, said + odd + late)
    mean, lower, upper = float(path.mean[-1]), float(path.lower[-1]), float(path.upper[-1])
    outcome = Outcome.PASS if lower > limit else Outcome.FAIL if upper < limit else Outcome.INCONCLUSIVE
    if outcome is Outcome.PASS and blocks.waiting > max(1.0, _MOST_WAITING * (count + blocks.waiting)):
        outcome = Outcome.INCONCLUSIVE
    said = _sentence(contest, rules, blocks, (mean, lower, upper), limit)
    return Verdict(name, outcome, mean, limit, count, said + odd + late, lower, upper)


def _sentence(contest: Contest, rules: Rules, blocks: Blocks, bounds: tuple[float, float, float], limit: float) -> str:
    mean, lower, upper = bounds
    where = "above" if lower > limit else "below" if upper < limit else "around"
    return (
        f"version {contest.judged.version} has {abs(mean):.4g} {'less' if mean >= 0 else 'more'} {rules.loss} per request than version "
        f"{contest.against.version} ({len(blocks.means)} blocks, {blocks.requests} requests): "
        f"the gain lies between {lower:.4g} and {upper:.4g}, {where} the limit {limit:.4g}"
    )


def _steps(contest: Contest, rules: Rules, path: Path) -> ConfidenceSteps:
    blocks = list(range(2, len(path.mean) + 1))  # one block has no bounds
    return ConfidenceSteps(
        contest.judged.version, rules.margin, blocks, *(part[1:].tolist() for part in (path.mean, path.lower, path.upper))
    )


def _guardrails(contest: Contest, heard: Heard, rules: Rules, rows: pd.DataFrame, task: Task, classes: Classes) -> list[Verdict]:
    limits, version = rules.guardrails, contest.judged.version
    verdicts = []
    if limits.error_rate is not None:
        verdicts.append(guardrails.error_rate(version, *_failed(contest, heard), limits.error_rate, rules.alpha_each))
    if limits.latency_p99_ratio is not None:
        judged, against = _latencies(contest, heard)
        verdicts.append(guardrails.latency_p99_ratio(version, judged, against, limits.latency_p99_ratio, rules.alpha_each))
    if limits.prediction_psi is not None:
        known = all_classes(task, classes)
        both = rows[rows["judged_error"].isna() & rows["against_error"].isna() & ~rows["waits"]]
        judged, against = (numbers(both[who], task, own, known) for who, own in zip(("judged", "against"), classes, strict=True))
        verdicts.append(guardrails.prediction_psi(version, judged, against, limits.prediction_psi))
    return verdicts


def _failed(contest: Contest, heard: Heard) -> tuple[int, int]:
    """How often the judged version failed, and how often it tried.

    In shadow each row counts: the shadow process finds out which rows a model cannot answer. Live, what fails together (requests of one
    micro-batch that waited too long) counts once.
    """
    if not contest.watching:
        shadow = heard.judged[heard.judged["epoch"] == contest.epoch]
        return int(shadow["error"].notna().sum()), len(shadow)
    failed = _by(contest, heard.failures)["batch"].nunique()
    return failed, failed + _by(contest, heard.answers)["request_id"].nunique()


def _by(contest: Contest, frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["epoch"] == contest.epoch) & (frame["version"] == contest.judged.version)]


def _latencies(contest: Contest, heard: Heard) -> tuple[Floats, Floats]:
    """Like with like: while watching the gateway's timings of both, else both in shadow, where the champion was there often enough."""
    live = heard.answers[heard.answers["version"] == contest.against.version]
    if contest.watching:
        return _per_batch(_by(contest, heard.answers)), _per_batch(live)
    judged = heard.judged[(heard.judged["epoch"] == contest.epoch) & heard.judged["error"].isna()]
    against = _per_batch(heard.against[heard.against["error"].isna()])
    return _per_batch(judged), against if len(against) >= guardrails.LEAST_BATCHES else _per_batch(live)


def _per_batch(frame: pd.DataFrame) -> Floats:
    return frame.drop_duplicates("batch")["latency_ms"].to_numpy(dtype=np.float64)
