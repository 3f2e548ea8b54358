"""The paired loss: one verdict by the last interval of its confidence sequence.

Positive differences speak for the version that is judged. It passes when the lower bound of the mean difference exceeds -margin, fails when
the upper bound lies under it, and stays inconclusive in between, while fewer than `min_blocks` blocks are complete and, where labels are
classes and the boundary is asymptotic, while fewer than 30 labels outside the commonest class are in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.confidence import ConfidenceSteps
from contracts.package import Task
from contracts.verdict import Outcome, Verdict
from rollout.blocks import Blocks, Differences, Floats, rarer_labels
from rollout.contest import Contest
from rollout.rules import Rules
from stats.bernstein_sequence import bernstein_path
from stats.confidence_sequence import Path, asymptotic_path

_MOST_WAITING = 0.2  # of the complete blocks; a candidate that is further behind is not promoted on the older part of its rehearsal
LEAST_RARER = 30  # labels outside the commonest class: with fewer, the spread of skewed losses is not known (benchmarks/decisions)


def path_of(means: Floats, alpha: float, rules: Rules, task: Task) -> Path:
    """Return the confidence sequence of block means by the boundary that the rules name."""
    bounds = rules.loss_bounds(task)
    if rules.boundary == "asymptotic" or bounds is None:
        return asymptotic_path(means, alpha, rules.tightest_at)
    width = bounds[1] - bounds[0]
    return bernstein_path(np.clip(means, -width, width), alpha, (-width, width), rules.tightest_at)  # clipped: a mean may round past them


def paired_verdict(contest: Contest, rules: Rules, task: Task, blocks: Blocks, path: Path, found: Differences) -> Verdict:
    """Judge the paired loss.

    Args:
        path: the confidence sequence of the blocks' means.
        found: the differences that the blocks were made of.
    """
    name, limit, count = f"paired {rules.loss}", -rules.margin + 0.0, len(blocks.means)
    odd = f"; {found.unknown} labels could not be used" if found.unknown else ""
    late = f"; {blocks.waiting} complete blocks wait for answers" if blocks.waiting else ""
    if count < rules.min_blocks:
        said = f"{count} of at least {rules.min_blocks} complete blocks with labels so far ({blocks.requests} requests)"
        mean = float(path.mean[-1]) if count else None
        return Verdict(name, Outcome.INCONCLUSIVE, mean, limit, count, said + odd + late)
    rarer = few_rarer_labels(rules, found, blocks.counted)
    if rarer is not None:
        said = f"{rarer} of at least {LEAST_RARER} labels outside the commonest class so far ({blocks.requests} requests)"
        return Verdict(name, Outcome.INCONCLUSIVE, float(path.mean[-1]), limit, count, said + odd + late)
    mean, lower, upper = float(path.mean[-1]), float(path.lower[-1]), float(path.upper[-1])
    outcome = Outcome.PASS if lower > limit else Outcome.FAIL if upper < limit else Outcome.INCONCLUSIVE
    if outcome is Outcome.PASS and blocks.waiting > max(1.0, _MOST_WAITING * (count + blocks.waiting)):
        outcome = Outcome.INCONCLUSIVE
    said = _sentence(contest, rules, task, blocks, (mean, lower, upper), limit)
    return Verdict(name, outcome, mean, limit, count, said + odd + late, lower, upper)


def few_rarer_labels(rules: Rules, found: Differences, rows: NDArray[np.bool_]) -> int | None:
    """Return how many labels outside the commonest class these rows have, where those are too few for asymptotic bounds; else None."""
    rarer = rarer_labels(found, rows)
    return rarer if rules.boundary == "asymptotic" and rarer is not None and rarer < LEAST_RARER else None


def _sentence(contest: Contest, rules: Rules, task: Task, blocks: Blocks, bounds: tuple[float, float, float], limit: float) -> str:
    mean, lower, upper = bounds
    where = "above" if lower > limit else "below" if upper < limit else "around"
    return (
        f"version {contest.judged.version} has {abs(mean):.4g} {'less' if mean >= 0 else 'more'} {rules.loss} per request than version "
        f"{contest.against.version} ({len(blocks.means)} blocks, {blocks.requests} requests): "
        f"by the {_boundary(rules, task)} the gain lies between {lower:.4g} and {upper:.4g}, {where} the limit {limit:.4g}"
    )


def _boundary(rules: Rules, task: Task) -> str:
    bounds = rules.loss_bounds(task)
    if rules.boundary == "asymptotic" or bounds is None:
        return "asymptotic boundary"
    return f"empirical-Bernstein boundary for losses between {bounds[0]:.4g} and {bounds[1]:.4g}"


def steps_of(contest: Contest, rules: Rules, path: Path) -> ConfidenceSteps:
    """Return the confidence sequence as it grew."""
    blocks = list(range(2, len(path.mean) + 1))  # of a single block the asymptotic boundary says nothing
    return ConfidenceSteps(
        contest.judged.version, rules.margin, blocks, *(part[1:].tolist() for part in (path.mean, path.lower, path.upper))
    )
