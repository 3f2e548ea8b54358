"""Guardrails fail on evidence, pass on the number seen, and say nothing in between."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.verdict import Outcome
from rollout.guardrails import error_rate, latency_p99_ratio, non_finite, prediction_psi

RANDOM = np.random.default_rng(4)


@pytest.mark.parametrize(
    ("failed", "tried", "outcome"),
    [(0, 0, Outcome.INCONCLUSIVE), (0, 5, Outcome.PASS), (1, 500, Outcome.INCONCLUSIVE), (5, 5, Outcome.FAIL), (20, 4000, Outcome.FAIL)],
)
def test_error_rate(failed: int, tried: int, outcome: Outcome) -> None:
    found = error_rate("2", failed, tried, limit=0.001, alpha=0.01)
    assert (found.outcome, found.samples) == (outcome, tried)


def test_error_rate_says_its_numbers() -> None:
    assert error_rate("2", 3, 40, 0.001, 0.01).reason == "version 2 failed 3 of 40 times (7.50%); at most 0.10% is allowed"


@pytest.mark.parametrize(
    ("broken", "tried", "limit", "outcome"),
    [
        (0, 0, 0.0, Outcome.INCONCLUSIVE),
        (0, 500, 0.0, Outcome.PASS),
        (1, 500, 0.0, Outcome.FAIL),
        (1, 500, 0.01, Outcome.PASS),
        (7, 500, 0.01, Outcome.INCONCLUSIVE),
        (30, 500, 0.01, Outcome.FAIL),
    ],
)
def test_answers_that_are_not_finite_are_held_against_a_share_and_at_none_a_single_one_is_proof(
    broken: int, tried: int, limit: float, outcome: Outcome
) -> None:
    answers = np.where(np.arange(tried) < broken, np.inf, 1.0)
    found = non_finite("2", answers, limit, alpha=0.01)
    assert (found.outcome, found.samples) == (outcome, tried)
    wide = np.where((np.arange(tried) < broken)[:, np.newaxis] & np.array([True, False]), np.nan, 0.5)
    assert non_finite("2", wide, limit, alpha=0.01) == found


def test_latency_needs_a_hundred_batches_of_each() -> None:
    assert latency_p99_ratio("2", np.ones(99), np.ones(500), 1.5, 0.01).outcome is Outcome.INCONCLUSIVE


def test_a_slower_tail_fails_and_one_slow_answer_in_many_does_not() -> None:
    usual = RANDOM.gamma(4.0, 1.0, 2000)
    assert latency_p99_ratio("2", usual, usual, 1.5, 0.01).outcome is Outcome.PASS
    assert latency_p99_ratio("2", 3 * usual, usual, 1.5, 0.01).outcome is Outcome.FAIL
    few = np.append(usual[:110], [1000.0, 900.0])
    assert latency_p99_ratio("2", few, usual, 1.5, 0.01).outcome is Outcome.INCONCLUSIVE


def test_prediction_shift_is_held_against_its_limit_on_rows_both_answered() -> None:
    there = RANDOM.normal(size=1000)
    assert prediction_psi("2", there + 0.01, there, 0.5).outcome is Outcome.PASS
    assert prediction_psi("2", there + 2.0, there, 0.5).outcome is Outcome.FAIL
    assert prediction_psi("2", np.where(np.arange(1000) < 150, there, np.nan), there, 0.5).outcome is Outcome.INCONCLUSIVE


def test_prediction_shift_of_classes_compares_the_likeliest() -> None:
    there = RANDOM.dirichlet([1, 1, 1], 1000)
    assert prediction_psi("2", there, there, 0.1).observed == 0
    assert prediction_psi("2", np.tile([0.8, 0.1, 0.1], (1000, 1)), there, 0.5).outcome is Outcome.FAIL
