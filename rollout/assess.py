"""Assess: what the traffic log says becomes verdicts: the paired loss first, then the labels it rests on, then the guardrails.

Where too few of the due requests have a label, no loss decides anything: neither for the judged version nor against it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from contracts.confidence import ConfidenceSteps
from contracts.package import Task
from contracts.verdict import Outcome, Verdict
from rollout import guardrails, labels
from rollout.blocks import Blocks, Classes, Differences, Floats, all_classes, block_means, differences, numbers
from rollout.contest import Contest
from rollout.paired import few_rarer_labels, paired_verdict, path_of, steps_of
from rollout.pairs import Heard, asked_of, pair
from rollout.rules import Rules
from rollout.slices import worst_slice
from stats.confidence_sequence import Path


@dataclass(frozen=True, slots=True)
class Assessment:
    """Verdicts, the paired loss first, and the steps behind that one."""

    verdicts: tuple[Verdict, ...]
    steps: ConfidenceSteps


@dataclass(frozen=True, slots=True)
class _Case:
    """All that the gates look at: rows that may count, their loss differences and blocks, by whose rules."""

    contest: Contest
    heard: Heard
    rules: Rules
    task: Task
    classes: Classes
    rows: pd.DataFrame
    found: Differences
    blocks: Blocks
    known_by: datetime


def assess(contest: Contest, heard: Heard, rules: Rules, task: Task, classes: Classes, known_by: datetime) -> Assessment:
    """Judge one version against the other on what the log says.

    Args:
        contest: who is judged, against whom.
        heard: the log's frames.
        rules: of the stage, or of the watch.
        classes: of the judged version and of the other, from their manifests; both empty for regression.
        known_by: event time up to which labels are due: now minus the attribution window.
    """
    rows = pair(contest, heard)
    found = differences(rows, task, rules.loss, classes, rules.bounds)
    blocks = block_means(rows["event_time"], found.values, rows["waits"].to_numpy(), rules.block, known_by)
    case = _Case(contest, heard, rules, task, classes, rows, found, blocks, known_by)
    path = path_of(blocks.means, rules.alpha, rules, task)
    losses = [paired_verdict(contest, rules, task, blocks, path, found), *_slices(case)]
    labelled = _labels(case)
    if labelled[0].outcome is not Outcome.PASS:
        losses = [_withheld(one) for one in losses]
    return Assessment((losses[0], *labelled, *losses[1:], *_guardrails(case)), steps_of(contest, rules, path))


def _withheld(verdict: Verdict) -> Verdict:
    if verdict.outcome is Outcome.INCONCLUSIVE:
        return verdict
    return replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=f"{verdict.reason}; too few labels to decide on that")


def _labels(case: _Case) -> list[Verdict]:
    """Coverage, and where some labels are missing also whether those rows are different ones."""
    rows, due = case.rows, case.blocks.due
    found = [labels.coverage(rows, due, case.rules.min_label_coverage)]
    if rows.loc[due, "label"].isna().any():
        found.append(labels.bias(rows, due, lambda: asked_of(case.contest, case.heard, rows), case.rules.on_label_bias))
    return found


def _slices(case: _Case) -> list[Verdict]:
    limits, rules = case.rules.guardrails.worst_slice, case.rules
    if limits is None:
        return []
    asked = asked_of(case.contest, case.heard, case.rows)
    values = asked[limits.column] if limits.column in asked else pd.Series([None] * len(asked), dtype="object")
    due = case.blocks.due

    def means_of(mask: np.ndarray) -> Floats:
        mine = due & mask
        if few_rarer_labels(rules, case.found, mine & case.blocks.counted) is not None:
            return np.empty(0)
        never = np.zeros(int(mine.sum()), dtype=bool)
        return block_means(case.rows.loc[mine, "event_time"], case.found.values[mine], never, rules.block, case.known_by).means

    def path(means: Floats, alpha: float) -> Path:
        return path_of(means, alpha, rules, case.task)

    return [worst_slice(case.contest.judged.version, values, means_of, path, limits, rules.alpha_each, rules.min_blocks)]


def _guardrails(case: _Case) -> list[Verdict]:
    contest, heard, rules, rows = case.contest, case.heard, case.rules, case.rows
    limits, version = rules.guardrails, contest.judged.version
    verdicts = []
    if limits.error_rate is not None:
        verdicts.append(guardrails.error_rate(version, *_failed(contest, heard), limits.error_rate, rules.alpha_each))
    if limits.non_finite is not None:
        said = numbers(rows.loc[rows["judged_error"].isna() & ~rows["waits"], "judged"], case.task, case.classes[0], case.classes[0])
        verdicts.append(guardrails.non_finite(version, said, limits.non_finite, rules.alpha_each))
    if limits.latency_p99_ratio is not None:
        judged, against = _latencies(contest, heard)
        verdicts.append(guardrails.latency_p99_ratio(version, judged, against, limits.latency_p99_ratio, rules.alpha_each))
    if limits.prediction_psi is not None:
        known = all_classes(case.task, case.classes)
        both = rows[rows["judged_error"].isna() & rows["against_error"].isna() & ~rows["waits"]]
        judged, against = (numbers(both[who], case.task, own, known) for who, own in zip(("judged", "against"), case.classes, strict=True))
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
